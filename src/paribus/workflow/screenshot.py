"""A screenshot of an arm: a PNG or JPEG, carried as text, drawn as a picture of its own size."""

from __future__ import annotations

import base64
import binascii
import re
import struct
from pathlib import Path

from paribus.charts.svg import Figure, tag
from paribus.errors import InputError

MOST_BYTES = 500_000
WIDEST = 720.0
_DATA = re.compile(r"data:image/(png|jpeg);base64,([A-Za-z0-9+/]+=*)")


def embedded(screenshot: str, folder: Path) -> str:
    """The screenshot as a data URL; one that is given so stays.

    Args:
        screenshot: the path of a PNG or JPEG, or a data URL.
        folder: that a relative path starts from.

    Raises:
        InputError: the file cannot be read, is larger than 500 kB, or is neither.
    """
    if screenshot.startswith("data:"):
        size_of(screenshot)
        return screenshot
    path = folder / Path(screenshot).expanduser()
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"the screenshot cannot be read: {error.strerror}",
            where=str(path),
            rule="a path of a PNG or JPEG, from the folder of paribus.yaml",
        ) from error
    kind = "png" if data.startswith(b"\x89PNG\r\n\x1a\n") else "jpeg" if data.startswith(b"\xff\xd8") else ""
    if not kind or len(data) > MOST_BYTES:
        raise InputError(
            f"{path.name} is {'no picture that is known' if not kind else f'{len(data):,} bytes long'}",
            where=str(path),
            rule=f"a PNG or JPEG of at most {MOST_BYTES:,} bytes",
            fix="crop it, or save it as JPEG",
        )
    found = f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
    size_of(found)
    return found


def size_of(data_url: str) -> tuple[int, int]:
    """Width and height of a picture in pixels.

    Raises:
        InputError: it is no PNG or JPEG, or its size cannot be told.
    """
    match = _DATA.fullmatch(data_url)
    try:
        data = base64.b64decode(match[2], validate=True) if match else b""
    except binascii.Error:
        data = b""
    size = _png(data) if match and match[1] == "png" else _jpeg(data)
    if size is None or len(data) > MOST_BYTES or 0 in size:
        raise InputError(
            "a screenshot cannot be read", where="arms", rule="a PNG or JPEG, as a path or a base64 data URL"
        )
    return size


def drawn(data_url: str, title: str, description: str) -> Figure:
    """The picture as a figure: at its own size, or as wide as a page.

    Raises:
        InputError: as `size_of`.
    """
    width, height = size_of(data_url)
    shown = min(float(width), WIDEST)
    tall = height * shown / width
    image = tag("image", href=data_url, x=0, y=0, width=shown, height=tall)
    return Figure(title, description or title, shown, tall, image)


def _png(data: bytes) -> tuple[int, int] | None:
    if len(data) < 24 or not data.startswith(b"\x89PNG\r\n\x1a\n") or data[12:16] != b"IHDR":
        return None
    width, height = struct.unpack(">II", data[16:24])
    return int(width), int(height)


def _jpeg(data: bytes) -> tuple[int, int] | None:
    """Of the frame header (SOF): markers are passed over by their lengths."""
    at = 2
    while data[:2] == b"\xff\xd8" and at + 9 <= len(data):
        if data[at] != 0xFF:
            return None
        marker = data[at + 1]
        if 0xC0 <= marker <= 0xCF and marker not in {0xC4, 0xC8, 0xCC}:
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return int(width), int(height)
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None
