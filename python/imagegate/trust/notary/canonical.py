"""Canonical JSON, the form of metadata that is hashed and signed.

Keys sorted by code point, no spaces, raw UTF-8, only `"` and `\\` escaped, integers only.
(OLPC canonical JSON, as github.com/docker/go/canonical/json writes it.)
"""

from __future__ import annotations

import re

import msgspec

_ENCODER = msgspec.json.Encoder(order="sorted")
_ESCAPE = re.compile(rb'\\(["\\bfnrt]|u00[0-9a-f]{2})')
_SHORT = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t"}


def encode(value: object) -> bytes:
    """Return the canonical form of a value made of str, int, bool, None, list, dict and structs of these."""
    text = _ENCODER.encode(value)
    # msgspec escapes control characters as RFC 8259 demands; canonical JSON has them raw.
    return _ESCAPE.sub(_raw, text) if b"\\" in text else text


def _raw(match: re.Match[bytes]) -> bytes:
    escape = match[1]
    if escape in (b'"', b"\\"):
        return match[0]
    return _SHORT.get(escape) or bytes([int(escape[1:], 16)])
