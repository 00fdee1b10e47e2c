"""A FOLIO instance from the fields of a MARC record: what the inventory shows of it.

The ids are FOLIO's reference data, the same in every installation (mod-inventory-storage, reference-data).
"""

from __future__ import annotations

from typing import Any

from holdfast.marc.normalize import normalize_isbn, normalize_issn, normalize_lccn
from resources.ils.client import Fields

UNSPECIFIED_TYPE = "30fffe0e-e985-4144-b2e2-1e8179bdb41f"
IDENTIFIER_TYPES = {
    "isbn": "8261054f-be78-422d-bd51-4ed9f33c3422",
    "issn": "913300b2-03ed-469a-8179-c1092c991227",
    "lccn": "c858e4f2-2b6b-4385-842b-60732ee14abb",
    "system": "7e591197-f335-4afb-bc6d-a6d76ca3bace",
}
NAME_TYPES = {
    "00": "2b94c631-fca9-4892-a730-03ee529ffe2a",  # personal
    "10": "2e48e713-17f3-4c13-a9f8-23845bb210aa",  # corporate
    "11": "e8b311a6-3b21-43f2-a269-dd9310cb2d0a",  # meeting
}


def _subfields(text: str) -> list[tuple[str, str]]:
    return [(piece[:1], piece[1:]) for piece in text[2:].split("\x1f")[1:] if piece]


def _joined(text: str, codes: str) -> str:
    return " ".join(value for code, value in _subfields(text) if code in codes).strip()


def _first(text: str, code: str) -> str:
    return next((value.strip() for found, value in _subfields(text) if found == code), "")


def derive_instance(fields: Fields) -> dict[str, Any]:
    """What the MARC record says of the instance; keys that it says nothing of are left out."""
    instance: dict[str, Any] = {"source": "MARC", "instanceTypeId": UNSPECIFIED_TYPE, "title": "[no title]"}
    identifiers: list[dict[str, str]] = []
    contributors: list[dict[str, Any]] = []
    publication: list[dict[str, str]] = []
    for tag, text in fields:
        if tag == "245":
            instance["title"] = _joined(text, "abcnp") or "[no title]"
        elif tag == "008" and text[35:38].isalpha():
            instance["languages"] = [text[35:38]]
        elif tag in ("020", "022", "010"):
            kind, normalize = {
                "020": ("isbn", normalize_isbn),
                "022": ("issn", normalize_issn),
                "010": ("lccn", normalize_lccn),
            }[tag]
            value = normalize(_first(text, "a")) or _first(text, "a")
            if value:
                identifiers.append({"identifierTypeId": IDENTIFIER_TYPES[kind], "value": value})
        elif tag == "035" and _first(text, "a"):
            identifiers.append({"identifierTypeId": IDENTIFIER_TYPES["system"], "value": _first(text, "a")})
        elif tag in ("100", "110", "111", "700", "710", "711") and _first(text, "a"):
            name = {"name": _joined(text, "abcdq").rstrip(" ,."), "contributorNameTypeId": NAME_TYPES[tag[1:]]}
            contributors.append({**name, "primary": tag.startswith("1")})
        elif tag in ("260", "264") and _joined(text, "abc"):
            shown = {"publisher": _first(text, "b"), "place": _first(text, "a"), "dateOfPublication": _first(text, "c")}
            publication.append({key: value.rstrip(" ,:;") for key, value in shown.items() if value})
        elif tag == "300":
            instance.setdefault("physicalDescriptions", []).append(_joined(text, "abce"))
    repeated = {"identifiers": identifiers, "contributors": contributors, "publication": publication}
    instance |= {key: values for key, values in repeated.items() if values}
    return instance
