"""Real PostgreSQL and MariaDB for tests: private servers in temporary folders, on free loopback ports.

Each server belongs to the process that started it: it is stopped by its process id, and the kernel ends it when that
process dies first (`setpriv --pdeathsig`, where there is one). Nothing of a system-wide installation is touched.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

USER = "paribus"
PASSWORD = "opensesame-7c1"  # recognizable on purpose: tests search messages for it
DATABASE = "paribus"
START_SECONDS = 40


class MissingServer(Exception):
    """The programs of a database server are not installed; the message says how to get them."""


def _find_program(names: tuple[str, ...], folders: list[Path], package: str) -> str:
    for name in names:
        for folder in folders:
            if (folder / name).is_file():
                return str(folder / name)
        if found := shutil.which(name):
            return found
    raise MissingServer(f"{names[0]} is not installed: apt-get install -y {package}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _as_user(user: str) -> list[str]:
    """The prefix of a command that must not run as root, tied to the life of this process where possible."""
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        if os.geteuid() == 0:
            raise MissingServer("setpriv is not installed: apt-get install -y util-linux")
        return []
    prefix = [setpriv, "--pdeathsig", "SIGTERM"]
    if os.geteuid() == 0:
        entry = pwd.getpwnam(user)
        prefix += ["--reuid", str(entry.pw_uid), "--regid", str(entry.pw_gid), "--clear-groups"]
    return prefix


def _run(command: list[str], options: list[str], folder: Path) -> None:
    done = subprocess.run([*command, *options], cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed ({done.returncode}):\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")


@contextmanager
def _server(
    user: str,
    make: Callable[[Path], None],
    command: Callable[[Path, int], list[str]],
    ping: Callable[[int], None],
    stop_signal: signal.Signals,
) -> Iterator[int]:
    """A running server's port: makes its data, starts it, waits for the first answer, stops it by its process id.

    `stop_signal`: SIGTERM makes PostgreSQL wait for open sessions, SIGINT ends them.
    """
    folder = Path(tempfile.mkdtemp(prefix="paribus-db-", dir="/tmp"))  # short: Unix sockets have a path limit
    process: subprocess.Popen[bytes] | None = None
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, user)
        folder.chmod(0o755)
        make(folder)
        log = folder / "server.log"
        for attempt in range(3):  # the free port may be taken by another test process between probe and bind
            port = _free_port()
            with log.open("wb") as output:
                process = subprocess.Popen(
                    command(folder, port), cwd=folder, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
                )
            if _wait(process, lambda port=port: ping(port)):
                break
            _stop(process, stop_signal)
            if attempt == 2:
                raise RuntimeError(f"the server did not answer:\n{log.read_text(errors='replace')[-3000:]}")
        yield port
    finally:
        if process is not None:
            _stop(process, stop_signal)
        shutil.rmtree(folder, ignore_errors=True)


def _wait(process: subprocess.Popen[bytes], ping: Callable[[], None]) -> bool:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            ping()
        except Exception:  # noqa: BLE001 (whatever the driver raises while the server is starting)
            time.sleep(0.1)
        else:
            return True
    return False


def _stop(process: subprocess.Popen[bytes], stop_signal: signal.Signals) -> None:
    if process.poll() is None:
        process.send_signal(stop_signal)
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def postgres() -> Iterator[str]:
    """The SQLAlchemy URL of an empty PostgreSQL database."""
    import psycopg

    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name), reverse=True)
    initdb = _find_program(("initdb",), versions, "postgresql")
    server = _find_program(("postgres",), [Path(initdb).parent, *versions], "postgresql")

    def make(folder: Path) -> None:
        secret = folder / "secret"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        _run(
            [*_as_user("postgres"), initdb, "-D", str(folder / "data"), "-U", USER, "--pwfile", str(secret)],
            ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync"],
            folder,
        )

    def command(folder: Path, port: int) -> list[str]:
        settings = {"listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": folder, "fsync": "off"}
        options = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
        return [*_as_user("postgres"), server, "-D", str(folder / "data"), *options]

    def url(port: int, database: str) -> str:
        return f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{port}/{database}"

    def ping(port: int) -> None:
        psycopg.connect(url(port, "postgres"), connect_timeout=2).close()

    with _server("postgres", make, command, ping, signal.SIGINT) as port:
        with psycopg.connect(url(port, "postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {DATABASE}")
        yield url(port, DATABASE).replace("postgresql://", "postgresql+psycopg://")


@contextmanager
def mariadb() -> Iterator[str]:
    """The SQLAlchemy URL of an empty MariaDB database."""
    import pymysql

    folders = [Path("/usr/sbin"), Path("/usr/bin")]
    install = _find_program(("mariadb-install-db", "mysql_install_db"), folders, "mariadb-server")
    server = _find_program(("mariadbd", "mysqld"), folders, "mariadb-server")

    def make(folder: Path) -> None:
        _run(
            [*_as_user("mysql"), install, "--no-defaults", f"--datadir={folder / 'data'}", f"--tmpdir={folder}"],
            ["--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"],
            folder,
        )
        (folder / "init.sql").write_text(
            f"CREATE DATABASE IF NOT EXISTS {DATABASE} CHARACTER SET utf8mb4;\n"
            f"CREATE USER IF NOT EXISTS '{USER}'@'127.0.0.1' IDENTIFIED BY '{PASSWORD}';\n"
            f"GRANT ALL ON *.* TO '{USER}'@'127.0.0.1';\n"
        )

    def command(folder: Path, port: int) -> list[str]:
        return [
            *_as_user("mysql"),
            server,
            "--no-defaults",
            f"--datadir={folder / 'data'}",
            f"--port={port}",
            "--bind-address=127.0.0.1",
            f"--socket={folder / 'sock'}",
            f"--pid-file={folder / 'pid'}",
            f"--init-file={folder / 'init.sql'}",
            f"--tmpdir={folder}",
            "--skip-name-resolve",
            "--skip-log-bin",
            "--innodb-flush-log-at-trx-commit=0",
            "--innodb-buffer-pool-size=64M",
        ]

    def ping(port: int) -> None:
        pymysql.connect(
            host="127.0.0.1", port=port, user=USER, password=PASSWORD, database=DATABASE, connect_timeout=2
        ).close()

    with _server("mysql", make, command, ping, signal.SIGTERM) as port:
        yield f"mysql+pymysql://{USER}:{PASSWORD}@127.0.0.1:{port}/{DATABASE}?charset=utf8mb4"
