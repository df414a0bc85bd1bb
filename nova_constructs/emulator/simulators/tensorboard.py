"""A TensorBoard event file with the one record that every such file begins with."""

from __future__ import annotations

import struct
from datetime import datetime
from functools import cache

_POLYNOMIAL = 0x82F63B78


def event_file(moment: datetime) -> tuple[str, bytes]:
    """Return the name and content of an event file written at a moment (TFRecord framing, file version 2)."""
    version = b"brain.Event:2"
    event = b"\x09" + struct.pack("<d", moment.timestamp()) + b"\x1a" + bytes([len(version)]) + version
    length = struct.pack("<Q", len(event))
    record = length + _masked_checksum(length) + event + _masked_checksum(event)
    return f"events.out.tfevents.{int(moment.timestamp())}.algo-1.1.0", record


def _masked_checksum(data: bytes) -> bytes:
    checksum = 0xFFFFFFFF
    for byte in data:
        checksum = _table()[(checksum ^ byte) & 0xFF] ^ (checksum >> 8)
    checksum ^= 0xFFFFFFFF
    return struct.pack("<I", (((checksum >> 15) | (checksum << 17)) + 0xA282EAD8) & 0xFFFFFFFF)


@cache
def _table() -> tuple[int, ...]:
    return tuple(_entry(index) for index in range(256))


def _entry(value: int) -> int:
    for _ in range(8):
        value = (value >> 1) ^ (_POLYNOMIAL if value & 1 else 0)
    return value
