"""MARC-in-JSON, as `parsedRecord.content` has it: checked, read as text, compared, edited."""

from __future__ import annotations

import re
from typing import Any

import orjson

TAG = re.compile(r"[0-9A-Za-z]{3}\Z")


class NotMarc(ValueError):
    """The content is no MARC-in-JSON. The message names the field and the rule."""


def content_of(value: Any) -> dict[str, Any]:
    """The content as an object (FOLIO also takes it as a string of JSON). Raises NotMarc."""
    if isinstance(value, str):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError as error:
            raise NotMarc(f"content: not JSON: {error}") from error
    if not isinstance(value, dict):
        raise NotMarc("content: an object with leader and fields was expected")
    leader, fields = value.get("leader"), value.get("fields")
    if not isinstance(leader, str) or len(leader) != 24:
        raise NotMarc("leader: 24 characters were expected")
    if not isinstance(fields, list):
        raise NotMarc("fields: a list was expected")
    for number, field in enumerate(fields):
        _check_field(number, field)
    return value


def _check_field(number: int, field: Any) -> None:
    if not isinstance(field, dict) or len(field) != 1:
        raise NotMarc(f"field {number}: an object with one tag was expected")
    ((tag, data),) = field.items()
    if not TAG.match(tag):
        raise NotMarc(f"field {number}: {tag!r} is no tag")
    if isinstance(data, str):
        return
    if not isinstance(data, dict) or not isinstance(data.get("subfields"), list):
        raise NotMarc(f"field {number} ({tag}): text, or ind1, ind2 and subfields were expected")
    for code in ("ind1", "ind2"):
        if not isinstance(data.get(code), str) or len(data[code]) != 1:
            raise NotMarc(f"field {number} ({tag}): {code}: one character was expected")
    for subfield in data["subfields"]:
        if not isinstance(subfield, dict) or len(subfield) != 1 or not isinstance(next(iter(subfield.values())), str):
            raise NotMarc(f"field {number} ({tag}): a subfield is an object with one code and a text")


def field_text(tag: str, data: Any) -> str:
    """`245 10 $a Title / $c author` as mod-source-record-storage formats it."""
    if isinstance(data, str):
        return f"{tag} {data}"
    parts = "".join(f" ${code} {value}" for subfield in data["subfields"] for code, value in subfield.items())
    return f"{tag} {data['ind1']}{data['ind2']}{parts}"


def as_text(content: dict[str, Any]) -> str:
    lines = [f"LEADER {content['leader']}"]
    lines += [field_text(tag, data) for field in content["fields"] for tag, data in field.items()]
    return "\n".join(lines) + "\n"


def control_field(content: dict[str, Any], tag: str) -> str | None:
    """The first control field of that tag."""
    for field in content["fields"]:
        value = field.get(tag)
        if isinstance(value, str):
            return value
    return None


def in_ranges(content: dict[str, Any], ranges: list[tuple[str, str]]) -> dict[str, Any]:
    """The content with the fields of some tag ranges only (both ends included)."""
    fields = [f for f in content["fields"] if any(low <= next(iter(f)) <= high for low, high in ranges)]
    return {"leader": content["leader"], "fields": fields}


def changes(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """mod-audit's `diff` of two versions: the fields of each tag that went and came."""
    out: list[dict[str, Any]] = []
    if before["leader"] != after["leader"]:
        change = {"changeType": "MODIFIED", "fieldName": "LDR", "fullPath": "LDR"}
        out.append(change | {"oldValue": before["leader"], "newValue": after["leader"]})
    old, new = _by_tag(before), _by_tag(after)
    for tag in sorted(old.keys() | new.keys()):
        gone = [text for text in old.get(tag, []) if text not in new.get(tag, [])]
        come = [text for text in new.get(tag, []) if text not in old.get(tag, [])]
        for number in range(max(len(gone), len(come))):
            change = {"fieldName": tag, "fullPath": tag}
            if number < len(gone):
                change["oldValue"] = gone[number]
            if number < len(come):
                change["newValue"] = come[number]
            kind = "MODIFIED" if len(change) == 4 else "REMOVED" if "oldValue" in change else "ADDED"
            out.append({"changeType": kind, **change})
    return {"fieldChanges": out, "collectionChanges": []}


def _by_tag(content: dict[str, Any]) -> dict[str, list[str]]:
    out: dict[str, list[str]] = {}
    for field in content["fields"]:
        for tag, data in field.items():
            out.setdefault(tag, []).append(field_text(tag, data))
    return out


def set_field(fields: list[dict[str, Any]], tag: str, code: str, value: str) -> None:
    """The first such field or subfield, else a new one, in the order of tags; without `code` a control field."""
    for field in fields:
        if tag not in field:
            continue
        if isinstance(field[tag], str):
            field[tag] = value
            return
        for subfield in field[tag]["subfields"]:
            if code in subfield:
                subfield[code] = value
                return
        field[tag]["subfields"].append({code: value})
        return
    new = {tag: value} if not code else {tag: {"ind1": " ", "ind2": " ", "subfields": [{code: value}]}}
    place = next((n for n, field in enumerate(fields) if next(iter(field)) > tag), len(fields))
    fields.insert(place, new)
