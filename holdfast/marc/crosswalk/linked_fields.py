"""Fields of a record, each with the 880 that has it in another script.

Source: MARC 21 Bibliographic, appendix A (control subfields, $6) and field 880.
"""

from __future__ import annotations

import re
from typing import Any

import polars as pl

from holdfast.marc.crosswalk.vocabulary import SCRIPTS

_SCRIPT_TAGS = {code: tag for tag, code in reversed(SCRIPTS.items())} | {"$1": "hani"}


class LinkedField:
    """A field with its linked 880, if there is one."""

    def __init__(self, tag: str, ind1: str, ind2: str, subfields: list[tuple[str, str]]) -> None:
        self.tag, self.ind1, self.ind2, self.subfields = tag, ind1, ind2, subfields
        self.linked: list[tuple[str, str]] = []
        self.language = "und"

    def of(self, codes: str) -> list[Any]:
        """Values of these subfields, and beside them those of the linked field with their language."""
        plain = [text for code, text in self.subfields if code in codes]
        other = [{"@value": text, "@language": self.language} for code, text in self.linked if code in codes]
        return [*plain, *other]

    def text(self, codes: str = "") -> str:
        return " ".join(text for code, text in self.subfields if (code in codes if codes else code not in "024568iw"))

    def key(self) -> list[Any]:
        """bflc:marcKey, of both scripts."""
        head = self.tag + self.ind1 + self.ind2
        kept = "".join(f"${code}{text}" for code, text in self.subfields if code not in "024568ieuw")
        keys: list[Any] = [head + kept]
        if self.linked:
            other = "".join(f"${code}{text}" for code, text in self.linked if code not in "024568ieuw")
            keys.append({"@value": head + other, "@language": self.language})
        return keys


def linked_fields(rows: pl.DataFrame) -> list[LinkedField]:
    fields: list[LinkedField] = []
    current = None
    for number, tag, ind1, ind2, code, value in rows.iter_rows():
        if number != current:
            current = number
            fields.append(LinkedField(tag, ind1 or " ", ind2 or " ", []))
        if value is not None:
            fields[-1].subfields.append((code or "", value))
    return _linked(fields)


def _linked(fields: list[LinkedField]) -> list[LinkedField]:
    """The fields without those 880 that a field names in $6; they are that field's other script."""
    others: dict[tuple[str, str], LinkedField] = {}
    for each in fields:
        if (
            each.tag == "880"
            and (match := re.match(r"(\d{3})-(\d{2,})(?:/(.*))?", each.text("6")))
            and match[2] != "00"
        ):
            others[match[1], match[2]] = each
            script = (match[3] or "").split("/")[0]
            each.language = "und-" + (
                _SCRIPT_TAGS.get(script) or (script.lower() if re.fullmatch("[A-Za-z]{4}", script) else "zyyy")
            )
    taken = set()
    for each in fields:
        if each.tag != "880" and (match := re.match(r"880-(\d{2,})", each.text("6"))):
            other = others.get((each.tag, match[1]))
            if other is not None:
                each.linked, each.language = [part for part in other.subfields if part[0] != "6"], other.language
                taken.add(id(other))
    return [each for each in fields if id(each) not in taken]


def whole_text(field: LinkedField) -> list[Any]:
    """The field's text, its subfields in one; and that of its other script."""
    codes = "".join(sorted({code for code, _ in field.subfields} - set("0123456789uw")))
    plain = field.text(codes) if codes else ""
    other = " ".join(text for code, text in field.linked if code in codes)
    return [each for each in (plain, {"@value": other, "@language": field.language} if other else "") if each]
