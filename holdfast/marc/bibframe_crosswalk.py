"""From BIBFRAME 2 to MARC 21: the core of Work, Instance and Item. The tables are in `crosswalk.vocabulary`.

Every statement that a rule has read is marked; what is left of an Instance's description is told as unmapped, by property.

Source: Library of Congress, BIBFRAME to MARC Conversion Specifications (loc.gov/bibframe/bftm): fields, indicators and
subfields as there; where the specifications look something up at id.loc.gov, what the graph says itself is used.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from holdfast.marc.crosswalk.description import Field, organization
from holdfast.marc.crosswalk.graph import (
    MACHINE,
    Graph,
    Text,
    address_of,
    has_type,
    is_described,
    local_name,
    short_name,
)
from holdfast.marc.crosswalk.links import Links
from holdfast.marc.crosswalk.statements import Statements
from holdfast.marc.crosswalk.vocabulary import BFLC, MATERIALS, RDF


@dataclass
class Record:
    """One MARC record. unmapped: (class and property, statements)."""

    leader: str
    control: list[tuple[str, str]]
    fields: list[Field]
    unmapped: list[tuple[str, int]] = field(default_factory=list)

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """Rows of the shape SUBFIELDS without the record's number."""
        for number, (tag, value) in enumerate(self.control):
            yield number, tag, None, None, None, value
        for number, each in enumerate(self.fields, len(self.control)):
            for code, value in each.subfields:
                yield number, each.tag, each.indicators[0], each.indicators[1], code, value


def records_of(statements: Iterable[Any]) -> Iterator[Record]:
    """A record for each Instance that is described for itself, not just named by another resource.

    `statements` are (subject, predicate, object) of rdflib.
    """
    ours = Graph(statements)
    for instance in [node for node in ours.of if is_described(ours, node)]:
        yield _Instance(ours, instance).record()


class _Instance(Statements, Links):
    """One Instance on its way to a record."""

    def record(self) -> Record:
        before = set(self.graph.used)
        self._admin()
        self._identifiers()
        self._classifications()
        self._contributions()
        self._titles()
        self._provisions()
        self._physical()
        self._languages()
        self._notes()
        self._texts()
        self._subjects()
        self._relations()
        self._items()
        # A Work and its Instance may say the same.
        unique = {(each.tag, each.indicators, *each.subfields): each for each in reversed(self.fields)}
        first_come = [unique[key] for key in reversed(unique)]
        self.fields = sorted(first_come, key=lambda each: each.tag)
        unmapped = self._unmapped()
        # Another Instance of the same Work has the same right to the Work's statements.
        self.graph.used = before | self.graph.used
        return Record(self._leader(), self._control(), self.fields, unmapped)

    # -- what the fields are made of --

    def _admin(self) -> None:
        graph, parts = self.graph, dict[str, list[Text]]()
        for node in graph.objects(self.node, "adminMetadata"):
            graph.types(node)
            statuses = [graph.code(each) or local_name(each) for each in graph.objects(node, "status")]
            for each in graph.objects(node, "status"):
                graph.types(each), graph.label(each)
            status = statuses[0][:1] if statuses else ""
            date = next((each.text for each in graph.texts(node, "date", "changeDate")), "")
            if graph.texts(node, "creationDate"):
                self.admin["entered"] = graph.texts(node, "creationDate")[0].text
            if status == "n" and date:
                self.admin["entered"] = date
            elif date:
                self.admin["changed"] = max(date, self.admin.get("changed", ""))
            if status in "cd" and status:
                self.admin["status"] = status
            for each in graph.objects(node, "identifiedBy"):
                if "Local" in graph.types(each) and (found := graph.texts(each, RDF + "value")):
                    self.admin.setdefault("number", found[0].text)
                    for assigner in graph.objects(each, "assigner", "source"):
                        graph.types(assigner), graph.label(assigner)
                        self.admin.setdefault("org", organization(graph.code(assigner)))
            for name, key in ((BFLC + "encodingLevel", "level"), ("descriptionLevel", "level")):
                for each in graph.objects(node, name):
                    graph.types(each), graph.label(each)
                    self.admin.setdefault(key, graph.code(each)[-1:])
            for name, code in (
                ("agent", "c"),
                ("assigner", "a"),
                ("source", "a"),
                ("descriptionLanguage", "b"),
                ("descriptionModifier", "d"),
                ("descriptionConventions", "e"),
            ):
                for each in graph.objects(node, name):
                    label, value = graph.said(each), graph.code(each)
                    text = organization(value) if code in "acd" and value else value or (label[0].text if label else "")
                    if code == "c" and name == "agent":
                        code_here = "c" if "c" not in parts else "d"
                        parts.setdefault(code_here, []).append(Text(text))
                    elif text:
                        parts.setdefault(code, []).append(Text(text))
            for each in graph.objects(node, "descriptionAuthentication"):
                graph.said(each)
                self.add("042", "  ", [("a", [Text(graph.code(each))])])
        unique = {code: list(dict.fromkeys(texts)) for code, texts in parts.items()}
        self.add("040", "  ", [(code, unique[code]) for code in "abcde" if code in unique])

    # -- fixed fields --

    def _leader(self) -> str:
        kind = next((code for names, code in MATERIALS if set(names) <= self.types), "a")
        level = next(
            (code for name, code in (("Collection", "c"), ("Integrating", "i"), ("Serial", "s")) if name in self.types),
            "m",
        )
        encoding = self.admin.get("level", " ")
        encoding = encoding if re.fullmatch("[0-9a-zA-Z]", encoding) and encoding != "f" else " "
        rules = {value for each in self.fields if each.tag == "040" for code, value in each.subfields if code == "e"}
        form = "i" if rules & {"rda", "isbd"} else "a" if rules & {"aacr", "aacr2"} else " "
        return f"00000{self.admin.get('status', 'n')}{kind}{level} a2200000{encoding}{form} 4500"

    def _control(self) -> list[tuple[str, str]]:
        number = self.admin.get("number") or local_name(address_of(self.node)) or ""
        changed = re.sub(r"\D", "", self.admin.get("changed", ""))[:14]
        control = [("001", number)] if number else []
        if self.admin.get("org"):
            control.append(("003", self.admin["org"]))
        if len(changed) >= 8:
            control.append(("005", changed.ljust(14, "0") + ".0"))
        entered = re.sub(r"\D", "", self.admin.get("entered", ""))[2:8]
        years = [year for date in self.dates for year in re.findall(r"\d{4}", date)]
        open_ended = "s" not in self._leader()[7]
        kind, first, second = ("s", years[0], "    ") if years else ("n", "uuuu", "uuuu")
        if not open_ended and years:
            kind, second = ("d", years[1]) if len(years) > 1 else ("c", "9999")
        country = self.country.ljust(3)[:3] if self.country else "xx "
        language = (self.languages[0] if self.languages else "und")[:3].ljust(3)
        # What BIBFRAME says in other ways is left uncoded: the fill character says so.
        control.append(("008", f"{entered:6}{kind}{first}{second}{country}{'|' * 17}{language} d"))
        return control

    def _unmapped(self) -> list[tuple[str, int]]:
        graph = self.graph
        left: Counter[str] = Counter()
        seen = {self.node, *self.works, *self.items}
        waiting = [self.node, *self.works, *self.items]
        roots = set(seen)
        while waiting:
            node = waiting.pop(0)
            for predicate, value in graph.of.get(node, []):
                if (node, predicate, value) not in graph.used and predicate not in {RDF + "type", *MACHINE}:
                    name = next((str(v) for p, v in graph.of[node] if p == RDF + "type"), "")
                    left[f"{short_name(name)} {short_name(predicate)}".strip()] += 1
                other = has_type(graph, value, "Instance") or has_type(graph, value, "Work")
                if value in graph.of and value not in seen and not (other and value not in roots):
                    seen.add(value)
                    waiting.append(value)
        return sorted(left.items())
