"""The wire format of Protocol Buffers, as far as reading goes."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from paribus.events.hygiene import Unreadable

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5


def fields(data: memoryview) -> Iterator[tuple[int, int, int | memoryview]]:
    """(field number, wire type, value) of a message; fixed values as unsigned integers, the rest as bytes.

    Raises:
        Unreadable: not a message, or cut off.
    """
    position, end = 0, len(data)
    while position < end:
        tag, position = _varint(data, position)
        number, kind = tag >> 3, tag & 7
        if number == 0:
            raise Unreadable("not a protobuf message", "field numbers start at 1")
        if kind == VARINT:
            value, position = _varint(data, position)
            yield number, kind, value
            continue
        if kind == LENGTH:
            size, position = _varint(data, position)
        elif kind in (FIXED64, FIXED32):
            size = 8 if kind == FIXED64 else 4
        else:
            raise Unreadable("not a protobuf message", "wire types are varint, fixed and length-delimited")
        if position + size > end:
            raise Unreadable("a protobuf message is cut off", "the message is complete")
        piece = data[position : position + size]
        position += size
        yield number, kind, piece if kind == LENGTH else int.from_bytes(piece, "little")


def text(value: int | memoryview) -> str:
    """A string field; bytes that are no UTF-8 become surrogates, which the next check refuses.

    Raises:
        Unreadable: the field holds no bytes.
    """
    return str(message(value), "utf-8", "surrogateescape")


def message(value: int | memoryview) -> memoryview:
    """The bytes of an embedded message.

    Raises:
        Unreadable: the field holds a number.
    """
    if isinstance(value, int):
        raise Unreadable("a protobuf field of a wrong wire type", "the message follows its schema")
    return value


def number(value: int | memoryview) -> int:
    """An unsigned integer field.

    Raises:
        Unreadable: the field holds bytes.
    """
    if not isinstance(value, int):
        raise Unreadable("a protobuf field of a wrong wire type", "the message follows its schema")
    return value


def signed(value: int | memoryview) -> int:
    """A 64-bit signed integer from its varint."""
    unsigned = number(value)
    return unsigned - (1 << 64) if unsigned >= 1 << 63 else unsigned


def double(value: int | memoryview) -> float:
    """A double from its fixed 64 bits."""
    result: float = struct.unpack("<d", number(value).to_bytes(8, "little"))[0]
    return result


def _varint(data: memoryview, position: int) -> tuple[int, int]:
    result = shift = 0
    while True:
        if position >= len(data) or shift > 63:
            raise Unreadable("a protobuf message is cut off", "varints end within ten bytes")
        byte = data[position]
        position += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result & 0xFFFFFFFFFFFFFFFF, position
        shift += 7
