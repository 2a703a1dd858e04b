"""What commands say fits the terminal that shows it."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios

import pytest


def shown(arguments: list[str], columns: int) -> list[str]:
    """The lines of a command on a terminal so many columns wide."""
    reader, writer = pty.openpty()
    fcntl.ioctl(writer, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    environment = {key: value for key, value in os.environ.items() if key not in {"COLUMNS", "LINES"}}
    command = [sys.executable, "-m", "paribus.cli", *arguments]
    with subprocess.Popen(command, stdout=writer, stderr=writer, env=environment) as process:
        os.close(writer)
        text = b""
        while True:
            try:
                piece = os.read(reader, 65_536)
            except OSError:  # the other end is closed
                break
            if not piece:
                break
            text += piece
    os.close(reader)
    assert process.returncode == 0, text.decode()
    return text.decode().replace("\r\n", "\n").splitlines()


@pytest.mark.parametrize(
    "arguments", [["role", "show", "machine-learning-ops::data-scientist"], ["role", "list"]], ids=" ".join
)
def test_nothing_is_wider_than_the_terminal(arguments: list[str]) -> None:
    lines = shown(arguments, 80)
    assert max(map(len, lines)) <= 80
    assert max(map(len, shown(arguments, 200))) > 80
