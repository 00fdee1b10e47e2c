"""Fingerprints and correlation IDs: design.md, section 3, "Identity".

Both are made of named, length-prefixed parts, so that no two different inputs can run together to the same text.
"""

from __future__ import annotations

import hashlib
import uuid
from typing import Any

import numpy as np
import polars as pl

NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:holdfast:correlation")


def _uuid5(name: bytes) -> str:
    """RFC 9562, section 5.5: what uuid.uuid5(NAMESPACE, name) is, at a third of the time; a load makes one a record."""
    digest = bytearray(hashlib.sha1(NAMESPACE.bytes + name, usedforsecurity=False).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x50
    digest[8] = digest[8] & 0x3F | 0x80
    text = digest.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def named_parts(**parts: str | int) -> bytes:
    """`name:length:value;` for each part, in the order given, lengths in UTF-8 bytes."""
    texts = ((name, str(value)) for name, value in parts.items())
    return "".join(
        f"{name}:{len(text) if text.isascii() else len(text.encode())}:{text};" for name, text in texts
    ).encode()


def fingerprint(control_number: str, last_modified: str) -> str:
    """Hex SHA-256 over the control number (001, with 003) and the date of last change (005, else the content's hash)."""
    return hashlib.sha256(named_parts(control_number=control_number, last_modified=last_modified)).hexdigest()


def correlation_id(source: str, window: str, record_number: int, record_fingerprint: str) -> str:
    """UUIDv5 that the same record gets in every retry and replay of the same window.

    `record_number` counts from 1 over all drops of the window, in the order of their registration.
    """
    parts = named_parts(source=source, window=window, record_number=record_number, fingerprint=record_fingerprint)
    return _uuid5(parts)


# Room for names, lengths and padding in the texts that are hashed.
_ROOM = 256


def fingerprints(records: pl.DataFrame) -> pl.Series:
    """`fingerprint` of each row. records: columns number, modified (String, not null)."""
    from holdfast import digests  # compiled loops: only who has a column of records needs them
    from holdfast.marc.string_views import series_of_texts, text_buffers

    number, modified = text_buffers(records["number"]), text_buffers(records["modified"])
    longest = sum(int(np.diff(offsets).max(initial=0)) for _, offsets in (number, modified)) + _ROOM
    out = np.empty(64 * records.height, dtype=np.uint8)
    digests.fingerprints(_bytes("control_number:"), *number, _bytes("last_modified:"), *modified, longest, out)
    return series_of_texts(out, np.arange(0, len(out) + 1, 64, dtype=np.int64))


def correlation_ids(source: str, window: str, records: pl.Series, record_fingerprints: pl.Series) -> pl.Series:
    """`correlation_id` of each record."""
    from holdfast import digests
    from holdfast.marc.string_views import numbers, series_of_texts, text_buffers

    prefix = np.frombuffer(NAMESPACE.bytes + named_parts(source=source, window=window), dtype=np.uint8)
    prints = text_buffers(record_fingerprints)
    longest = len(prefix) + int(np.diff(prints[1]).max(initial=0)) + _ROOM
    out = np.empty(36 * len(records), dtype=np.uint8)
    digests.correlation_ids(
        prefix, _bytes("record_number:"), numbers(records), _bytes("fingerprint:"), *prints, longest, out
    )
    return series_of_texts(out, np.arange(0, len(out) + 1, 36, dtype=np.int64))


def _bytes(text: str) -> Any:
    return np.frombuffer(text.encode(), dtype=np.uint8)


def idempotency_key(correlation: str, target: str, content_hash: str) -> str:
    """Key of one change in the commit ledger: which record, onto which record of the ILS, with which content."""
    parts = named_parts(correlation_id=correlation, target=target, content=content_hash)
    return hashlib.sha256(parts).hexdigest()


def new_target(correlation: str, content_hash: str) -> str:
    """Id that a new record gets in the catalogue: the same in every attempt, so that it can't be created twice."""
    return str(uuid.uuid5(NAMESPACE, named_parts(instance_of=correlation, content=content_hash).decode()))
