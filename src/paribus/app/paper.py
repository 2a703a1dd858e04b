"""A page as PDF, printed by the Chromium of this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from paribus.errors import InputError, NotFound, StorageError

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
PRINT_SECONDS = 120.0


def browser() -> str | None:
    """Path of the Chromium that prints; None where there is none."""
    return next((found for name in PROGRAMS if (found := shutil.which(name))), None)


def print_pdf(page: str, path: Path) -> Path:
    """Prints an HTML page that loads nothing; the path of the PDF, whose folder is made when it is missing.

    Raises:
        NotFound: there is no Chromium.
        StorageError: it could not print.
        InputError: the file cannot be written.
    """
    program = browser()
    if program is None:
        raise NotFound(
            "no Chromium was found to print with",
            where="--pdf",
            rule=f"one of {', '.join(PROGRAMS)} on the path",
            fix="apt install chromium, or write the page and print it from any browser: --html FILE",
        )
    with TemporaryDirectory(prefix="paribus-print-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        (folder / "page.html").write_text(page, encoding="utf-8")
        done = _printed(program, folder)
        made = folder / "page.pdf"
        if not made.exists() or not made.read_bytes().startswith(b"%PDF"):
            raise StorageError(
                "the page could not be printed",
                where=program,
                rule=done.strip()[-500:] or "it wrote no PDF",
                fix="write the page and print it from any browser: --html FILE",
            )
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(made, path)
        except OSError as error:
            raise InputError(f"the file cannot be written: {error.strerror}", where=str(path)) from error
    return path


def _printed(program: str, folder: Path) -> str:
    """What Chromium said while it printed page.html as page.pdf."""
    command = [
        program,
        "--headless",
        "--disable-gpu",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-extensions",
        "--no-pdf-header-footer",
        f"--user-data-dir={folder / 'profile'}",
        f"--print-to-pdf={folder / 'page.pdf'}",
        (folder / "page.html").as_uri(),
    ]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.insert(1, "--no-sandbox")  # Chromium refuses its sandbox to root; the page is ours and loads nothing
    try:
        done = subprocess.run(command, capture_output=True, timeout=PRINT_SECONDS, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return done.stderr.decode(errors="replace")
