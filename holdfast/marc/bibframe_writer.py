"""Frames as BIBFRAME 2 in JSON-LD: the core of Work, Instance and Item, a document a record with its context in it.

Nodes are named as marc2bibframe2 names them: BASE + control number + '#Work', '#Instance', '#Item852-1'. What stands in another
script (linked 880) is a value with a language tag beside the romanized one. Fields with no place in this core are counted.

Source: Library of Congress, MARC 21 to BIBFRAME 2.0 Conversion Specifications (loc.gov/bibframe/mtbf).
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any
from urllib.parse import quote

import orjson
import polars as pl

from holdfast.marc.crosswalk.linked_fields import LinkedField, linked_fields, whole_text
from holdfast.marc.crosswalk.properties import (
    AGENT_CLASSES,
    CLASSES,
    INSTANCE_TEXTS,
    LANGUAGE_PARTS,
    LEVELS,
    LINK_NAMES,
    NOTE_KINDS,
    NUMBER_CLASSES,
    SCHEME_CODES,
    STANDARD_NUMBERS,
    SUBJECT_CLASSES,
    VARIANTS,
    VOCABULARY,
    WORK_TEXTS,
    WORK_TYPES,
)
from holdfast.marc.crosswalk.vocabulary import (
    BF,
    BFLC,
    MADS,
    PROVISIONS,
    RDF,
    RDFS,
)
from holdfast.marc.frames import Frames

BASE = "http://example.org/"
CONTEXT = {"bf": BF, "bflc": BFLC, "madsrdf": MADS, "rdf": RDF, "rdfs": RDFS}
LEFT_OUT = pl.Schema({"tag": pl.String, "fields": pl.UInt32})

Node = dict[str, Any]


def to_bibframe(frames: Frames, base: str = BASE) -> tuple[list[bytes], pl.DataFrame]:
    """(documents, left out): a JSON-LD document for each readable record; shape LEFT_OUT, fields that have no place in it."""
    records = frames.records.filter(pl.col("fault").is_null()).select("record", "leader")
    rows = frames.subfields.join(records, on="record", how="semi", maintain_order="left")
    by_record = rows.partition_by("record", as_dict=True, include_key=False)
    left = Counter[str]()
    documents = []
    for record, leader in records.iter_rows():
        fields = linked_fields(by_record[record,]) if (record,) in by_record else []
        number = next((each.text("") for each in fields if each.tag == "001"), "") or f"record{record}"
        description = _Description(base + quote(number.strip(), safe=""), leader, fields)
        documents.append(orjson.dumps({"@context": CONTEXT, "@graph": description.graph()}))
        left.update(description.left)
    return documents, pl.DataFrame(sorted(left.items()), schema=LEFT_OUT, orient="row")


class _Description:
    def __init__(self, address: str, leader: str, fields: list[LinkedField]) -> None:
        self.leader, self.fields = leader, fields
        self.work: Node = {"@id": address + "#Work", "@type": ["bf:Work"]}
        self.instance: Node = {"@id": address + "#Instance", "@type": ["bf:Instance"]}
        self.items: list[Node] = []
        self.left: list[str] = []
        self.admin: Node = {"@type": ["bf:AdminMetadata"]}

    def graph(self) -> list[Node]:
        self.work["@type"] += [f"bf:{name}" for name in WORK_TYPES.get(self.leader[6], ["Text"])]
        level = LEVELS.get(self.leader[7])
        self.work["@type"] += [f"bf:{level}"] if level else []
        self._put(self.work, "hasInstance", {"@id": self.instance["@id"]})
        self._put(self.instance, "instanceOf", {"@id": self.work["@id"]})
        self._administration()
        for each in self.fields:
            if not self._field(each):
                self.left.append(each.tag)
        self._put(self.instance, "adminMetadata", self.admin)
        return [self.work, self.instance, *self.items]

    def _put(self, node: Node, name: str, *values: Any) -> None:
        key = name if ":" in name else "bf:" + name
        found = [each for each in values if each not in (None, "", [], {})]
        if found:
            node.setdefault(key, []).extend(found)

    def _labelled(self, kind: str, labels: list[Any], **more: Any) -> Node:
        node: Node = {"@type": [f"bf:{kind}"]}
        self._put(node, "rdfs:label", *labels)
        for name, value in more.items():
            self._put(node, name, *(value if isinstance(value, list) else [value]))
        return node

    def _administration(self) -> None:
        status = {"a": "c", "p": "c"}.get(self.leader[5], self.leader[5])
        if status in "cdn":
            self._put(
                self.admin,
                "status",
                {"@id": f"{VOCABULARY}mstatus/{status}", "@type": ["bf:Status"], "bf:code": status},
            )
        if self.leader[17] != " ":
            level = {"@id": f"{VOCABULARY}menclvl/{self.leader[17]}", "@type": ["bflc:EncodingLevel"]}
            self._put(self.admin, "bflc:encodingLevel", level)

    def _field(self, field: LinkedField) -> bool:
        """Put a field where it belongs; False: it has no place in this core."""
        tag = field.tag
        if tag.startswith("00"):
            return self._control(field)
        for takes in (self._heading, self._title, self._number, self._statement, self._note, self._linking):
            if takes(field):
                return True
        return False

    def _control(self, field: LinkedField) -> bool:
        text = field.text("") or "".join(value for _, value in field.subfields)
        if field.tag == "001":
            number: Node = {"@type": ["bf:Local"], "rdf:value": [text]}
            org = next((each.subfields[0][1] for each in self.fields if each.tag == "003" and each.subfields), "")
            if org:
                self._put(number, "assigner", {"@type": ["bf:Agent"], "bf:code": [org]})
            self._put(self.admin, "identifiedBy", number)
        elif field.tag == "005":
            match = re.match(r"(\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})", text)
            if match:
                self._put(self.admin, "changeDate", "{}-{}-{}T{}:{}:{}".format(*match.groups()))
        elif field.tag == "008":
            return self._fixed(text)
        else:
            return field.tag == "003"
        return True

    def _fixed(self, text: str) -> bool:
        """008/00-17 and 35-37; the positions of the material are left out."""
        if match := re.match(r"(\d{2})(\d{2})(\d{2})", text):
            century = "19" if int(match[1]) > 50 else "20"
            self._put(self.admin, "creationDate", f"{century}{match[1]}-{match[2]}-{match[3]}")
        language = text[35:38]
        if re.fullmatch("[a-z]{3}", language) and language not in ("und", "zxx"):
            self._language(language)
        place: Node = {"@type": ["bf:ProvisionActivity", "bf:Publication"]}
        if re.fullmatch(r"\d{4}", text[7:11]):
            self._put(place, "date", text[7:11])
        if country := text[15:18].strip(" |"):
            self._put(place, "place", {"@id": f"{VOCABULARY}countries/{quote(country)}", "@type": ["bf:Place"]})
        if len(place) > 1:
            self._put(self.instance, "provisionActivity", place)
        return True

    def _language(self, code: str, part: str = "") -> None:
        node: Node = {"@id": f"{VOCABULARY}languages/{quote(code)}", "@type": ["bf:Language"]}
        if part:
            node = {"@type": ["bf:Language"], "bf:part": [part], "rdf:value": [{"@id": node["@id"]}]}
        if node not in self.work.get("bf:language", []):
            self._put(self.work, "language", node)

    # -- headings --

    def _heading(self, field: LinkedField) -> bool:
        tag = field.tag
        titled = any(code == "t" for code, _ in field.subfields)
        if tag in ("100", "110", "111"):
            self._put(self.work, "contribution", self._contribution(field, first=True))
        elif tag in ("700", "710", "711") and not titled:
            self._put(self.work, "contribution", self._contribution(field))
        elif tag == "720":
            agent = self._labelled("Agent", field.of("a"))
            agent["@type"].append("bflc:Uncontrolled")
            self._put(self.work, "contribution", {"@type": ["bf:Contribution"], "bf:agent": [agent]})
        elif tag in ("700", "710", "711", "730"):
            resource = self._keyed("Hub", field)
            relation: Node = {"@type": ["bf:Relation"], "bf:associatedResource": [resource]}
            self._put(relation, "relationship", *(self._labelled("Relationship", [text]) for text in field.of("i")))
            self._put(self.work, "relation", relation)
        elif tag in SUBJECT_CLASSES:
            subject = self._keyed("Hub" if titled and tag < "630" else SUBJECT_CLASSES[tag], field)
            scheme = SCHEME_CODES.get(field.ind2) or (field.text("2") if field.ind2 == "7" else "")
            if scheme:
                self._put(subject, "source", {"@type": ["bf:Source"], "bf:code": [scheme]})
            self._put(self.work, "genreForm" if tag == "655" else "subject", subject)
        elif tag == "653":
            for text in field.of("a"):
                topic = self._labelled("Topic", [text])
                topic["@type"].append("bflc:Uncontrolled")
                self._put(self.work, "subject", topic)
        else:
            return False
        return True

    def _keyed(self, kind: str, field: LinkedField) -> Node:
        """A resource with its heading as label and as MARC key; its address where $0 or $1 has one."""
        node = self._labelled(kind, [field.text()])
        self._put(node, "bflc:marcKey", *field.key())
        address = next(
            (
                text
                for text in field.of("01")
                if isinstance(text, str) and text.startswith(("http://id.", "https://id."))
            ),
            "",
        )
        if address:
            node["@id"] = quote(address, safe=":/#?&=%~@,;+")
        return node

    def _contribution(self, field: LinkedField, *, first: bool = False) -> Node:
        kind = "Family" if field.tag[1:] == "00" and field.ind1 == "3" else AGENT_CLASSES[field.tag[1:]]
        kind = "Jurisdiction" if field.tag[1:] == "10" and field.ind1 == "1" else kind
        node: Node = {"@type": ["bf:Contribution"], "bf:agent": [self._keyed(kind, field)]}
        if first:
            node["@type"].append("bf:PrimaryContribution")
        self._put(
            node, "role", *(self._labelled("Role", [text]) for text in field.of("e" if field.tag[1:] != "11" else "j"))
        )
        for code in field.of("4"):
            if isinstance(code, str) and re.fullmatch("[a-z]{3}", code):
                self._put(
                    node, "role", {"@id": f"{VOCABULARY}relators/{code}", "@type": ["bf:Role"], "bf:code": [code]}
                )
        return node

    # -- titles --

    def _title(self, field: LinkedField) -> bool:
        tag = field.tag
        kinds = {
            "130": "Title",
            "240": "Title",
            "245": "Title",
            "210": "AbbreviatedTitle",
            "222": "KeyTitle",
            "242": "VariantTitle",
            "246": "VariantTitle",
            "247": "VariantTitle",
        }
        if tag not in kinds:
            return False
        kind = "ParallelTitle" if tag == "246" and field.ind2 == "1" else kinds[tag]
        node: Node = {"@type": [f"bf:{kind}"]}
        for name, code in (("mainTitle", "a"), ("subtitle", "b"), ("partNumber", "n"), ("partName", "p")):
            if code == "b" and tag in ("210", "222"):
                name = "qualifier"
            self._put(node, name, *field.of(code))
        skip = field.ind1 if tag == "130" else field.ind2
        if tag in ("130", "222", "240", "242", "245") and skip in "123456789":
            self._put(node, "bflc:nonSortNum", skip)
        kind = {"242": "translated", "247": "former"}.get(tag) or (VARIANTS.get(field.ind2, "") if tag == "246" else "")
        self._put(node, "variantType", kind)
        self._put(node, "note", *(self._labelled("Note", [text]) for text in (field.of("i") if tag == "246" else [])))
        self._put(self.work if tag in ("130", "240") else self.instance, "title", node)
        if tag == "245":
            self._put(self.instance, "responsibilityStatement", *field.of("c"))
            if not any(each.tag in ("130", "240") for each in self.fields):
                self._put(self.work, "title", dict(node))
        return True

    # -- numbers --

    def _number(self, field: LinkedField) -> bool:
        tag = field.tag
        if tag in CLASSES:
            return self._classification(field)
        name = NUMBER_CLASSES.get((tag, field.ind1)) or NUMBER_CLASSES.get((tag, " "))
        if tag == "024" and field.ind1 == "7":
            name = STANDARD_NUMBERS.get(field.text("2"), "Identifier")
        if tag == "035":
            return self._system_number(field)
        if name is None:
            return False
        for code in "ayzle":
            for text in field.of(code):
                node: Node = {
                    "@type": ["bf:IssnL" if code == "l" and tag == "022" else f"bf:{name}"],
                    "rdf:value": [text],
                }
                if code in "yz":
                    state = "incorrect" if code == "y" else "cancinv"
                    self._put(
                        node,
                        "status",
                        {"@id": f"{VOCABULARY}mstatus/{state}", "@type": ["bf:Status"], "bf:code": [state]},
                    )
                self._put(node, "qualifier", *field.of("q"))
                self._put(node, "acquisitionTerms", *(field.of("c") if tag in ("020", "024", "037") else []))
                if tag in ("028", "017", "037"):
                    self._put(node, "assigner", *(self._labelled("Agent", [source]) for source in field.of("b")))
                if scheme := field.text("2"):
                    self._put(node, "source", {"@type": ["bf:Source"], "bf:code": [scheme]})
                self._put(self.instance, "identifiedBy", node)
        return True

    def _system_number(self, field: LinkedField) -> bool:
        for code in "az":
            for text in field.of(code):
                match = re.match(r"\(([^)]*)\)\s*(.*)", text) if isinstance(text, str) else None
                name = "OclcNumber" if match and match[1] == "OCoLC" else "Local"
                node: Node = {"@type": [f"bf:{name}"], "rdf:value": [match[2] if match else text]}
                if match and name == "Local":
                    self._put(node, "source", {"@type": ["bf:Source"], "bf:code": [match[1]]})
                if code == "z":
                    self._put(
                        node,
                        "status",
                        {"@id": f"{VOCABULARY}mstatus/cancinv", "@type": ["bf:Status"], "bf:code": ["cancinv"]},
                    )
                self._put(self.instance, "identifiedBy", node)
        return True

    def _classification(self, field: LinkedField) -> bool:
        for text in field.of("a"):
            node: Node = {"@type": [f"bf:{CLASSES[field.tag]}"], "bf:classificationPortion": [text]}
            self._put(node, "itemPortion", *field.of("b"))
            if field.tag in ("050", "060", "082") and field.ind2 == "0":
                code = "dnlm" if field.tag == "060" else "dlc"
                self._put(node, "assigner", {"@id": f"{VOCABULARY}organizations/{code}", "@type": ["bf:Agent"]})
            if field.tag == "082":
                self._put(node, "edition", *field.of("2"), {"0": "full", "1": "abridged"}.get(field.ind1))
            elif source := field.text("2"):
                self._put(node, "source", {"@type": ["bf:Source"], "bf:code": [source]})
            self._put(self.work, "classification", node)
        return True

    # -- statements --

    def _statement(self, field: LinkedField) -> bool:
        tag = field.tag
        if tag in INSTANCE_TEXTS:
            self._put(self.instance, INSTANCE_TEXTS[tag], *whole_text(field))
        elif tag in WORK_TEXTS:
            kind = {"505": "TableOfContents", "520": "Summary", "521": "IntendedAudience"}[tag]
            self._put(self.work, WORK_TEXTS[tag], self._labelled(kind, whole_text(field)))
        elif tag in ("260", "264"):
            self._provision(field)
        elif tag == "300":
            self._put(self.instance, "extent", self._labelled("Extent", field.of("a")) if field.of("a") else None)
            self._put(self.instance, "dimensions", *field.of("c"))
            for code, kind in (("b", "physical"), ("e", "accmat")):
                self._put(self.instance, "note", *(self._kinded(kind, [text]) for text in field.of(code)))
        elif tag in ("336", "337", "338"):
            name, kind, part = {
                "336": ("content", "Content", "contentTypes"),
                "337": ("media", "Media", "mediaTypes"),
                "338": ("carrier", "Carrier", "carriers"),
            }[tag]
            node = self._labelled(kind, field.of("a"))
            if code := field.text("b").split(" ")[0]:
                node["@id"] = f"{VOCABULARY}{part}/{quote(code)}"
                self._put(node, "code", code)
            self._put(self.work if tag == "336" else self.instance, name, node)
        elif tag == "040":
            for code, name in (("a", "assigner"), ("c", "agent"), ("d", "descriptionModifier")):
                self._put(self.admin, name, *({"@type": ["bf:Agent"], "bf:code": [text]} for text in field.of(code)))
            self._put(
                self.admin,
                "descriptionLanguage",
                *(
                    {"@id": f"{VOCABULARY}languages/{quote(text)}", "@type": ["bf:Language"]}
                    for text in field.of("b")
                    if isinstance(text, str)
                ),
            )
            self._put(
                self.admin,
                "descriptionConventions",
                *({"@type": ["bf:DescriptionConventions"], "bf:code": [text]} for text in field.of("e")),
            )
        elif tag == "041":
            for code, text in field.subfields:
                if code == "a" or code in LANGUAGE_PARTS:
                    self._language(text, LANGUAGE_PARTS.get(code, ""))
        elif tag == "042":
            self._put(
                self.admin,
                "descriptionAuthentication",
                *({"@type": ["bf:DescriptionAuthentication"], "bf:code": [text]} for text in field.of("a")),
            )
        elif tag == "043":
            for text in field.of("a"):
                self._put(
                    self.work,
                    "geographicCoverage",
                    {
                        "@id": f"{VOCABULARY}geographicAreas/{quote(str(text).rstrip('-'))}",
                        "@type": ["bf:GeographicCoverage"],
                    },
                )
        elif tag == "490":
            self._put(self.instance, "isPartOf", self._series(field))
        elif tag in ("800", "810", "811", "830"):
            hub = self._keyed("Hub", field)
            hub["bflc:marcKey"] = [
                key.replace(tag, "1" + tag[1:], 1) for key in hub["bflc:marcKey"] if isinstance(key, str)
            ]
            if tag == "830":
                hub["bflc:marcKey"] = [key[:3] + field.ind2 + " " + key[5:] for key in hub["bflc:marcKey"]]
            hub["bflc:marcKey"] = [re.sub(r"\$v[^$]*", "", key) for key in hub["bflc:marcKey"]]
            self._put(hub, "seriesEnumeration", *field.of("v"))
            self._put(self.work, "isPartOf", hub)
        elif tag == "856":
            locator: Node = {"@type": ["rdfs:Resource"], "rdf:value": field.of("u")}
            self._put(locator, "note", *(self._labelled("Note", [text]) for text in field.of("z3")))
            self._put(self.instance, "electronicLocator", locator if field.of("u") else None)
        elif tag == "852":
            self._item(field)
        else:
            return False
        return True

    def _provision(self, field: LinkedField) -> None:
        if field.tag == "264" and field.ind2 == "4":
            self._put(self.instance, "copyrightDate", *field.of("c"))
            return
        kind = next(
            (name for name, ind2 in PROVISIONS.items() if field.tag == "264" and ind2 == field.ind2), "Publication"
        )
        node: Node = {"@type": ["bf:ProvisionActivity", f"bf:{kind}"]}
        for code, name in (("a", "simplePlace"), ("b", "simpleAgent"), ("c", "simpleDate")):
            self._put(node, "bflc:" + name, *field.of(code))
        self._put(self.instance, "provisionActivity", node)

    def _series(self, field: LinkedField) -> Node:
        node: Node = {"@type": ["bf:Series"] + (["bflc:Uncontrolled"] if field.ind1 == "0" else ["bf:Hub"])}
        title: Node = {"@type": ["bf:Title"]}
        self._put(title, "mainTitle", *field.of("a"))
        self._put(node, "title", title)
        self._put(node, "seriesEnumeration", *field.of("v"))
        self._put(node, "identifiedBy", *({"@type": ["bf:Issn"], "rdf:value": [text]} for text in field.of("x")))
        return node

    def _item(self, field: LinkedField) -> None:
        number = len(self.items) + 1
        item: Node = {"@id": self.instance["@id"].replace("#Instance", f"#Item852-{number}"), "@type": ["bf:Item"]}
        self._put(item, "itemOf", {"@id": self.instance["@id"]})
        self._put(item, "heldBy", *(self._labelled("Agent", [text]) for text in field.of("a")))
        self._put(item, "sublocation", *(self._labelled("Sublocation", [text]) for text in field.of("bc")))
        mark = field.text("hijkm")
        self._put(item, "shelfMark", self._labelled("ShelfMark", [mark]) if mark else None)
        self._put(item, "identifiedBy", *({"@type": ["bf:Barcode"], "rdf:value": [text]} for text in field.of("p")))
        self._put(self.instance, "hasItem", {"@id": item["@id"]})
        self.items.append(item)

    # -- notes and links --

    def _kinded(self, kind: str, labels: list[Any]) -> Node:
        node = self._labelled("Note", labels)
        if kind:
            node["@type"].append(f"{VOCABULARY}mnotetype/{kind}")
        return node

    def _note(self, field: LinkedField) -> bool:
        tag = field.tag
        if tag in ("506", "540"):
            kind = "AccessPolicy" if tag == "506" else "UsePolicy"
            self._put(self.instance, "usageAndAccessPolicy", self._labelled(kind, whole_text(field)))
            return True
        if tag != "500" and tag not in NOTE_KINDS:
            return False
        node = self._kinded(NOTE_KINDS.get(tag, ""), whole_text(field))
        self._put(
            node, "bflc:appliesTo", *({"@type": ["bflc:AppliesTo"], "rdfs:label": [text]} for text in field.of("3"))
        )
        self._put(self.instance, "note", node)
        return True

    def _linking(self, field: LinkedField) -> bool:
        name = LINK_NAMES.get(field.tag)
        if name is None:
            return False
        node: Node = {"@type": ["bf:Instance"]}
        title: Node = {"@type": ["bf:Title"]}
        self._put(title, "mainTitle", *field.of("t" if field.of("t") else "s"))
        self._put(node, "title", title if len(title) > 1 else None)
        for text in field.of("a"):
            self._put(
                node, "contribution", {"@type": ["bf:Contribution"], "bf:agent": [self._labelled("Agent", [text])]}
            )
        for code, kind in (("x", "Issn"), ("z", "Isbn"), ("y", "Coden"), ("w", "Local")):
            for text in field.of(code):
                self._put(node, "identifiedBy", {"@type": [f"bf:{kind}"], "rdf:value": [text]})
        self._put(node, "note", *(self._labelled("Note", [text]) for text in field.of("n")))
        self._put(self.instance, name, node)
        return True
