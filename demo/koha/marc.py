"""MARC in Koha's four forms, and what Koha keeps of it in the columns of its tables. Stored is MARC-in-JSON."""

from __future__ import annotations

import io
from typing import Any

import orjson
import pymarc
from lxml import etree
from pymarc.exceptions import PymarcException

from demo.ils.marc_json import NotMarc, content_of
from demo.koha.errors import KohaRefused

XML, JSON, BINARY, TEXT = "application/marcxml+xml", "application/marc-in-json", "application/marc", "text/plain"
TAKEN = (XML, JSON, BINARY)
GIVEN = ("application/json", XML, JSON, BINARY, TEXT)
Content = dict[str, Any]
_SLIM = "http://www.loc.gov/MARC21/slim"


def bad_record(why: str) -> KohaRefused:
    return KohaRefused(400, f"Error while parsing the record: {why}", "bad_record")


def read(media_type: str, body: bytes) -> Content:
    """The record in a request's body. 406 for other forms, 400 `bad_record` where it is none."""
    try:
        if media_type == JSON:
            content = content_of(orjson.loads(body))
        elif media_type == BINARY:
            record = next(iter(pymarc.MARCReader(io.BytesIO(body), to_unicode=True, utf8_handling="strict")), None)
            if record is None:
                raise bad_record("no ISO 2709")
            content = record.as_dict()
        else:
            content = _from_xml(body)
    except (ValueError, NotMarc, PymarcException, UnicodeError) as error:
        raise bad_record(str(error)) from error
    if not content["fields"]:
        raise bad_record("it is empty")
    return content


def _from_xml(body: bytes) -> Content:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)
    try:
        root = etree.fromstring(body, parser)
    except etree.XMLSyntaxError as error:
        raise bad_record(str(error)) from error
    record = root if root.tag in (f"{{{_SLIM}}}record", "record") else root.find(f"{{{_SLIM}}}record")
    if record is None:
        raise bad_record("no MARCXML")
    leader, fields = " " * 24, []
    for each in record.iterchildren(tag=etree.Element):
        name = each.tag.rpartition("}")[2]
        if name == "leader":
            leader = each.text or leader
        elif name == "controlfield":
            fields.append({each.get("tag", ""): each.text or ""})
        elif name == "datafield":
            pieces = [{sub.get("code", ""): sub.text or ""} for sub in each]
            fields.append(
                {
                    each.get("tag", ""): {
                        "ind1": each.get("ind1", " "),
                        "ind2": each.get("ind2", " "),
                        "subfields": pieces,
                    }
                }
            )
    return content_of({"leader": leader, "fields": fields})


def _record(content: Content) -> pymarc.Record:
    record = pymarc.Record()
    record.leader = pymarc.Leader(content["leader"])
    for field in content["fields"]:
        ((tag, data),) = field.items()
        if isinstance(data, str):
            record.add_field(pymarc.Field(tag, data=data))
        else:
            pieces = [pymarc.Subfield(code, text) for each in data["subfields"] for code, text in each.items()]
            record.add_field(pymarc.Field(tag, pymarc.Indicators(data["ind1"], data["ind2"]), pieces))
    return record


def as_xml(content: Content) -> bytes:
    return pymarc.record_to_xml(_record(content), namespace=True)


def write(media_type: str, contents: list[Content], *, one: bool) -> bytes:
    """A record, or a list of them, in a form."""
    if media_type == JSON:
        return orjson.dumps(contents[0] if one else contents)
    if media_type == BINARY:
        return b"".join(_record(each).as_marc() for each in contents)
    if media_type == TEXT:
        return "\n\n".join(str(_record(each)) for each in contents).encode()
    records = b"".join(as_xml(each) for each in contents)
    head = b'<?xml version="1.0" encoding="UTF-8"?>\n'
    return head + (records if one else f'<collection xmlns="{_SLIM}">'.encode() + records + b"</collection>")


def first(content: Content, tag: str, codes: str) -> str | None:
    for field in content["fields"]:
        data = field.get(tag)
        if isinstance(data, dict):
            for each in data["subfields"]:
                ((code, text),) = each.items()
                if code in codes:
                    return str(text)
    return None


def columns(content: Content) -> dict[str, Any]:
    """What Koha's default mapping puts into the biblio (first five) and biblioitem rows."""
    return {
        "title": first(content, "245", "a"),
        "subtitle": first(content, "245", "b"),
        "author": first(content, "100", "a") or first(content, "110", "a"),
        "copyright_date": None,
        "notes": first(content, "500", "a"),
        "isbn": first(content, "020", "a"),
        "issn": first(content, "022", "a"),
        "publisher": first(content, "260", "b") or first(content, "264", "b"),
        "publication_place": first(content, "260", "a") or first(content, "264", "a"),
        "pages": first(content, "300", "a"),
        "item_type": first(content, "942", "c"),
    }


def as_saved(content: Content, biblio_id: int, now: str, control_number: bool) -> Content:
    """As Koha saves it: 005 and leader its own, items out, its numbers in 999; 001 made where there is none."""
    kept = []
    for field in content["fields"]:
        ((tag, data),) = field.items()
        if tag in ("005", "952", "999"):
            continue
        if isinstance(data, dict):
            pieces = [each for each in data["subfields"] if next(iter(each.values()))]
            if not pieces:
                continue
            data = {**data, "subfields": pieces}
        kept.append({tag: data})
    if control_number and not any("001" in field for field in kept):
        kept.insert(0, {"001": str(biblio_id)})
    stamp = now.replace("-", "").replace(":", "").replace("T", "")[:14] + ".0"
    at = next((n for n, field in enumerate(kept) if next(iter(field)) > "005"), len(kept))
    kept.insert(at, {"005": stamp})
    numbers = {"ind1": " ", "ind2": " ", "subfields": [{"c": str(biblio_id)}, {"d": str(biblio_id)}]}
    leader = content["leader"]
    return {"leader": f"00000{leader[5:9]}a2200000{leader[17:20]}4500", "fields": [*kept, {"999": numbers}]}
