"""Masking of MARC subfields: a value becomes `pii:` + HMAC-SHA-256 with the institution's salt.

The same value always becomes the same token, so loads stay comparable; without the salt nobody gets from one to the other.
Rules name fields and subfields: '541$h' a subfield, '583' a whole field, '59X' a range of tags. Fields that are private by
their first indicator (0 in 541, 542, 561, 583) are masked whole.
"""

from __future__ import annotations

import hashlib
import hmac
import unicodedata
from dataclasses import dataclass

import polars as pl

from holdfast.marc.encoding import decode_value
from holdfast.marc.marc8 import Marc8Error

PREFIX = "pii:"
_LONGEST_FIELD, _LONGEST_RECORD = 9_999, 99_999


class MaskedTooLongError(ValueError):
    """With its tokens the record does not fit into ISO 2709 any more; the text says what is too long."""


def token(value: str, salt: bytes) -> str:
    """`pii:` and 64 hex digits. Text is normalized (NFC) first: the same name typed in two ways is one value."""
    text = unicodedata.normalize("NFC", value)
    return PREFIX + hmac.new(salt, text.encode(), hashlib.sha256).hexdigest()


@dataclass(frozen=True)
class MaskingRules:
    """`fields` and `notes_when_private` as in settings.Masking."""

    fields: tuple[str, ...]
    notes_when_private: tuple[str, ...] = ()

    @staticmethod
    def _covers(spec: str, tag: str) -> bool:
        return len(tag) == 3 and all(want in (got, "X") for want, got in zip(spec[:3], tag, strict=True))

    def masks(self, tag: str, ind1: str, code: str) -> bool:
        """Is subfield `code` of a field `tag` with first indicator `ind1` masked?"""
        for spec in self.fields:
            if self._covers(spec, tag) and (len(spec) == 3 or spec[4] == code):
                return True
        return ind1 == "0" and any(self._covers(spec, tag) for spec in self.notes_when_private)

    def expression(self) -> pl.Expr:
        """The same question for the rows of a frame of the shape `marc.SUBFIELDS`."""
        answer = pl.col("tag").is_null()  # never; a literal alone is no predicate of a large frame for Polars
        for spec in self.fields:
            match = pl.col("tag").str.contains("^" + spec[:3].replace("X", ".") + "$")
            if len(spec) > 3:
                match &= pl.col("code") == spec[4]
            answer |= match
        for spec in self.notes_when_private:
            answer |= pl.col("tag").str.contains("^" + spec[:3].replace("X", ".") + "$") & (pl.col("ind1") == "0")
        return answer.fill_null(False)


def mask_record(raw: bytes, rules: MaskingRules, salt: bytes) -> bytes:
    """A readable ISO 2709 record with its masked values replaced, leader and directory made to fit.

    Raises:
        MaskedTooLongError: the tokens, longer than what they replace, do not fit in.
    """
    base = int(raw[12:17])
    directory, fields, place = bytearray(), bytearray(), 0
    for at in range(24, base - 1, 12):
        tag = raw[at : at + 3]
        start = base + int(raw[at + 7 : at + 12])
        field = raw[start : start + int(raw[at + 3 : at + 7]) - 1]
        if not tag.startswith(b"00"):
            field = _mask_field(tag.decode("ascii"), field, rules, salt)
        if len(field) + 1 > _LONGEST_FIELD:
            raise MaskedTooLongError(f"field {tag.decode('ascii')} would have {len(field) + 1:,} bytes")
        directory += tag + b"%04d%05d" % (len(field) + 1, place)
        fields += field + b"\x1e"
        place += len(field) + 1
    length = 24 + len(directory) + 1 + len(fields) + 1
    if length > _LONGEST_RECORD:
        raise MaskedTooLongError(f"the record would have {length:,} bytes")
    return (
        b"%05d" % length
        + raw[5:12]
        + b"%05d" % (25 + len(directory))
        + raw[17:24]
        + bytes(directory)
        + b"\x1e"
        + bytes(fields)
        + b"\x1d"
    )


def _mask_field(tag: str, field: bytes, rules: MaskingRules, salt: bytes) -> bytes:
    indicators, *subfields = field.split(b"\x1f")
    ind1 = indicators[:1].decode("ascii")
    masked = [indicators]
    for each in subfields:
        code = each[:1].decode("ascii")
        masked.append(
            each[:1] + token(_text(each[1:]), salt).encode() if each and rules.masks(tag, ind1, code) else each
        )
    return b"\x1f".join(masked)


def _text(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        try:
            return decode_value(value)
        except Marc8Error:
            return value.decode("latin-1")
