"""What every tape line shares: checksum, escapes and the header; `docs/tape.md` describes the whole.

A line is its kind letter, its fields and the CRC-32 of all before it, separated by TABs.
The checksum comes before any reading of numbers: a flipped bit is damage, never a price.
"""

from __future__ import annotations

import json
from typing import Any
from zlib import crc32

from engine.model.codec import canonical

MAGIC = "#engine-tape"
VERSION = 1
LATEST = 4_102_444_800_000_000_000
"""2100-01-01 in ns: a tape ends before it. Later instants are broken clocks, and time never goes back from one."""
CRC_LENGTH = 9
"""The TAB before the checksum and its eight hexadecimal digits."""

_ESCAPES = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}
_UNESCAPES = {written[1]: plain for plain, written in _ESCAPES.items()}


def seal(body: str) -> bytes:
    """Return the whole line of `body`: with its checksum and its line end."""
    raw = body.encode()
    return b"%s\t%08x\n" % (raw, crc32(raw))


def unseal(line: bytes) -> bytes:
    """Return the body of `line` (without line end); ValueError when the checksum does not fit."""
    body = line[:-CRC_LENGTH]
    if line[-CRC_LENGTH:] != b"\t%08x" % crc32(body):
        raise ValueError("the checksum does not fit: the line was changed or cut")
    return body


def instant(at: int) -> int:
    """Return `at` (ns) if an event can have arrived then; ValueError if no clock that works says so."""
    if not 0 <= at < LATEST:
        raise ValueError(f"{at} ns is no instant between 1970 and 2100")
    return at


def escape(text: str) -> str:
    """Return `text` on one line and without TABs."""
    if text.isalnum():
        return text
    return "".join(_ESCAPES.get(char, char) for char in text)


def unescape(raw: bytes) -> str:
    """Return the text that `escape` wrote; ValueError if it never did."""
    text = raw.decode()
    if "\\" not in text:
        return text
    parts = text.split("\\")
    out, i = [parts[0]], 1
    while i < len(parts):
        part = parts[i]
        if part == "" and i + 1 < len(parts):
            out.append("\\" + parts[i + 1])
            i += 2
            continue
        if part[:1] not in _UNESCAPES:
            raise ValueError(f"a text holds \\{part[:1]}, which is no escape")
        out.append(_UNESCAPES[part[0]] + part[1:])
        i += 1
    return "".join(out)


def header_line(data: dict[str, Any]) -> bytes:
    """Return the first line of a tape."""
    return seal(f"{MAGIC} {VERSION}\t{escape(canonical(data).decode())}")


def read_header_line(line: bytes) -> dict[str, Any]:
    """Return the header of the first `line`; ValueError says, for people, why it is none."""
    if not line.startswith(MAGIC.encode()):
        raise ValueError("it does not begin as a tape does")
    magic, _, rest = unseal(line.rstrip(b"\n")).partition(b"\t")
    version = magic.decode().removeprefix(MAGIC).strip()
    if version != str(VERSION):
        raise ValueError(f"it is a tape of version {version}; this engine reads version {VERSION}")
    data = json.loads(unescape(rest))
    return dict(data)
