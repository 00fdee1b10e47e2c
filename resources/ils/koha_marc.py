"""A MARC record as Koha keeps it: what of it is compared, what is sent, and what its OAI-PMH server gives."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable

from lxml import etree

from holdfast.catalogue.fields import DELIMITER, comparable_leader
from holdfast.harvest.answers import children, local
from resources.ils.client import Fields

# Koha writes these anew at every save, or keeps them elsewhere.
_SAVED_ANEW = ("001", "003", "005", "942", "952", "999")


def fingerprint(fields: Iterable[tuple[str, str]]) -> str:
    """Hex SHA-256 of a record, whatever the order of its fields, without what Koha writes anew at every save."""
    texts = sorted(f"{tag}{text}" for tag, text in compared(fields))
    return hashlib.sha256("\x1e".join(texts).encode()).hexdigest()


def compared(fields: Iterable[tuple[str, str]]) -> Fields:
    kept = [each for each in sendable(fields) if each[0] not in _SAVED_ANEW]
    return [(tag, unicodedata.normalize("NFC", text)) for tag, text in kept]


def sendable(fields: Iterable[tuple[str, str]]) -> Fields:
    """Without empty subfields, which Koha does not keep."""
    kept: Fields = []
    for tag, text in fields:
        if tag == "LDR":
            kept.append((tag, comparable_leader(text)))
        elif tag.startswith("00"):
            kept.append((tag, text))
        else:
            pieces = [piece for piece in text[2:].split(DELIMITER)[1:] if len(piece) > 1]
            if pieces:
                kept.append((tag, text[:2] + "".join(DELIMITER + piece for piece in pieces)))
    return kept


def suppressed(fields: Fields, hidden: bool) -> Fields:
    """942 $n 1: hidden from the public where the preference OpacSuppression is on; without $n: shown."""
    kept = []
    for tag, text in fields:
        if tag == "942":
            pieces = [piece for piece in text[2:].split(DELIMITER)[1:] if piece[:1] != "n"]
            text = text[:2] + "".join(DELIMITER + piece for piece in [*pieces, *(["n1"] if hidden else [])])
        kept.append((tag, text))
    if hidden and not any(tag == "942" for tag, _ in kept):
        kept.append(("942", f"  {DELIMITER}n1"))
    return kept


def subfield(text: str, code: str) -> str:
    return next((piece[1:] for piece in text[2:].split(DELIMITER)[1:] if piece[:1] == code), "")


def from_marcxml(metadata: etree._Element) -> Fields:
    fields: Fields = []
    record = next((each for each in metadata.iter() if local(each) == "record"), None)
    for each in record if record is not None else ():
        name, tag = local(each), each.get("tag", "")
        if name == "leader":
            fields.insert(0, ("LDR", comparable_leader((each.text or "").ljust(24))))
        elif name == "controlfield":
            fields.append((tag, each.text or ""))
        elif name == "datafield":
            pieces = "".join(f"{DELIMITER}{sub.get('code', '')}{sub.text or ''}" for sub in children(each, "subfield"))
            fields.append((tag, (each.get("ind1") or " ") + (each.get("ind2") or " ") + pieces))
    return fields
