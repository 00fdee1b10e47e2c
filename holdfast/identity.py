"""Fingerprints and correlation IDs: design.md, section 3, "Identity".

Both are made of named, length-prefixed parts, so that no two different inputs can run together to the same text.
"""

from __future__ import annotations

import hashlib
import uuid

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


def _part(name: str, value: pl.Expr) -> list[pl.Expr]:
    """The pieces of a part of `named_parts`."""
    text = value.cast(pl.String)
    return [pl.lit(f"{name}:"), text.str.len_bytes().cast(pl.String), pl.lit(":"), text, pl.lit(";")]


def fingerprints(records: pl.DataFrame) -> pl.Series:
    """`fingerprint` of each row. records: columns number, modified (String)."""
    parts = [*_part("control_number", pl.col("number")), *_part("last_modified", pl.col("modified"))]
    texts = records.select(pl.concat_str(parts).alias("text"))["text"].to_list()
    return pl.Series([hashlib.sha256(each.encode()).hexdigest() for each in texts], dtype=pl.String)


def correlation_ids(source: str, window: str, records: pl.Series, record_fingerprints: pl.Series) -> pl.Series:
    """`correlation_id` of each record."""
    parts = [pl.lit(named_parts(source=source, window=window).decode())]
    parts += [*_part("record_number", pl.col("record")), *_part("fingerprint", pl.col("fingerprint"))]
    frame = pl.DataFrame({"record": records, "fingerprint": record_fingerprints})
    texts = frame.select(pl.concat_str(parts).alias("text"))["text"].to_list()
    start = hashlib.sha1(NAMESPACE.bytes, usedforsecurity=False)
    digests = []
    for text in texts:
        digest = start.copy()
        digest.update(text.encode())
        digests.append(digest.hexdigest())
    # RFC 9562, section 5.5: the version in the 13th digit, the variant in the two high bits of the 17th.
    variant = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}
    text = pl.col("text")
    return pl.DataFrame({"text": pl.Series(digests, dtype=pl.String)}).select(
        pl.concat_str(
            text.str.slice(0, 8),
            pl.lit("-"),
            text.str.slice(8, 4),
            pl.lit("-5"),
            text.str.slice(13, 3),
            pl.lit("-"),
            text.str.slice(16, 1).replace_strict(variant, return_dtype=pl.String),
            text.str.slice(17, 3),
            pl.lit("-"),
            text.str.slice(20, 12),
        ).alias("id")
    )["id"]


def idempotency_key(correlation: str, target: str, content_hash: str) -> str:
    """Key of one change in the commit ledger: which record, onto which record of the ILS, with which content."""
    parts = named_parts(correlation_id=correlation, target=target, content=content_hash)
    return hashlib.sha256(parts).hexdigest()


def new_target(correlation: str, content_hash: str) -> str:
    """Id that a new record gets in the catalogue: the same in every attempt, so that it can't be created twice."""
    return str(uuid.uuid5(NAMESPACE, named_parts(instance_of=correlation, content=content_hash).decode()))
