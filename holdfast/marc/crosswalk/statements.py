"""Numbers, statements, notes and items out of BIBFRAME.

Source: as of `vocabulary`.
"""

from __future__ import annotations

import re
from typing import Any

from holdfast.marc.crosswalk.description import organization
from holdfast.marc.crosswalk.graph import Graph, Text, address_of, is_literal, local_name
from holdfast.marc.crosswalk.headings import Headings
from holdfast.marc.crosswalk.vocabulary import (
    BF,
    BFLC,
    CLASSIFICATIONS,
    DIGITAL,
    IDENTIFIERS,
    NOTES,
    PROVISIONS,
    RDA,
    RDF,
    RDFS,
    SOUND,
    TEXTS,
)


class Statements(Headings):
    """0XX, 25X to 5XX, 852 and 856."""

    def _identifiers(self) -> None:
        graph = self.graph
        for node in self.both:
            for each in graph.objects(node, "identifiedBy"):
                name = next(
                    (name for name in IDENTIFIERS if name in graph.types(each) and name != "Identifier"), "Identifier"
                )
                tag, ind1, before, scheme = IDENTIFIERS[name]
                values = graph.texts(each, RDF + "value", RDFS + "label")
                states = {graph.code(status) or local_name(status) for status in graph.objects(each, "status")}
                for status in graph.objects(each, "status"):
                    graph.said(status)
                invalid = bool(states & {"cancinv", "canceled", "cancelled", "invalid", "incorrect"})
                code = (
                    "y" if tag == "022" and "incorrect" in states else "z" if invalid else "e" if tag == "026" else "a"
                )
                sources = [
                    (graph.label(source), graph.code(source))
                    for source in graph.objects(each, "source")
                    if graph.types(source) or True
                ]
                assigners = [(graph.said(one), graph.code(one)) for one in graph.objects(each, "assigner")]
                said = scheme or next((code or (label[0].text if label else "") for label, code in sources), "")
                if name == "Local" and said:
                    tag, ind1, before, scheme = "035", " ", f"({said})", ""
                if tag == "024" and ind1 == "8" and said:
                    ind1, scheme = "7", said
                parts = [(code, [Text(v.text if v.text.startswith(before) else before + v.text) for v in values])]
                if tag == "010" and values:
                    parts = [(code, [Text(values[0].text)])]
                if tag == "035":
                    parts = [(code, [Text(re.sub(r"^\(OCoLC\)(ocm|ocn|on)", r"(OCoLC)", p.text)) for p in parts[0][1]])]
                parts.append(("c", graph.texts(each, "acquisitionTerms")))
                parts.append(("q", [_bare(one) for one in graph.texts(each, "qualifier")]))
                if tag in ("028", "017", "037"):
                    parts.append(("b", [text for label, _ in assigners for text in label]))
                if tag in ("024", "015", "026", "022") and (scheme or tag in ("015", "022")):
                    found = scheme or said or next((code for _, code in assigners if code), "")
                    parts.append(("2", [Text(found)] if found else []))
                if values:
                    self.add(tag, ind1 + ("0" if tag == "028" else " "), parts)

    def _classifications(self) -> None:
        graph = self.graph
        for node in self.both:
            for each in graph.objects(node, "classification"):
                name = next((name for name in CLASSIFICATIONS if name in graph.types(each)), "Classification")
                tag, ind2 = CLASSIFICATIONS[name]
                assigners = graph.codes(graph.objects(each, "assigner"))
                states = graph.codes(graph.objects(each, "status"))
                if "uba" in states or (
                    tag in ("050", "060", "082") and any(one.lower() in ("dlc", "dnlm") for one in assigners)
                ):
                    ind2 = "0"
                sources = [(graph.code(one), graph.said(one)) for one in graph.objects(each, "source")]
                edition = [one.text for one in graph.texts(each, "edition")]
                source = [Text(code or (label[0].text if label else "")) for code, label in sources]
                if tag == "082":
                    source = [
                        Text({"full": "0", "abridged": "1"}.get(one, one))
                        for one in edition
                        if one not in ("full", "abridged")
                    ] or source
                ind1 = {"082": "1" if "abridged" in edition else "0", "050": " "}.get(tag, " ")
                parts = [("a", graph.texts(each, "classificationPortion")), ("b", graph.texts(each, "itemPortion"))]
                if tag in ("082", "084", "080"):
                    parts.append(("2", source))
                if parts[0][1]:
                    self.add(tag, ind1 + ind2, parts)

    def _provisions(self) -> None:
        graph = self.graph
        made = False
        for each in graph.objects(self.node, "provisionActivity"):
            kinds = graph.types(each)
            ind2 = next((PROVISIONS[name] for name in PROVISIONS if name in kinds), "1")
            simple = [
                (code, graph.texts(each, BFLC + name))
                for code, name in (("a", "simplePlace"), ("b", "simpleAgent"), ("c", "simpleDate"))
            ]
            dates = graph.texts(each, "date")
            self.dates += [date.text for date in dates]
            places = [(place, graph.said(place), graph.code(place)) for place in graph.objects(each, "place")]
            for place, _, code in places:
                if "/vocabulary/countries/" in str(place):
                    self.country = self.country or code
            agents = [text for agent in graph.objects(each, "agent") for text in self._named(agent)]
            if any(texts for _, texts in simple):
                self.dates += [text.text for text in simple[2][1]]
                self.add("264", " " + ind2, simple)
                made = True
            elif agents:
                named = [
                    text for place, label, _ in places if "/vocabulary/countries/" not in str(place) for text in label
                ]
                self.add("264", " " + ind2, [("a", named), ("b", agents), ("c", dates)])
                made = True
        for name, ind2 in (
            ("productionStatement", "0"),
            ("publicationStatement", "1"),
            ("provisionActivityStatement", "1"),
            ("distributionStatement", "2"),
            ("manufactureStatement", "3"),
        ):
            texts = graph.texts(self.node, name)
            # A statement repeats what the activities say; alone it is all there is.
            if texts and not (made and name in ("publicationStatement", "provisionActivityStatement")):
                self.add("264", " " + ind2, [("a", texts)])
        for text in graph.texts(self.node, "copyrightDate"):
            self.add("264", " 4", [("c", [text])])

    def _physical(self) -> None:
        graph = self.graph
        extents = [
            (
                graph.types(each) and graph.label(each),
                [text for one in graph.objects(each, "note") for text in graph.said(one)],
            )
            for each in graph.objects(self.node, "extent")
            if not is_literal(each)
        ]
        dimensions = graph.texts(self.node, "dimensions")
        details = {"b": list[Text](), "e": list[Text]()}
        for note in [*graph.objects(self.node, "note")]:
            place = NOTES.get(_note_kind(graph, note), ("500", "a"))
            if place[0] == "300":
                details[place[1]] += graph.said(note)
                graph.texts(note, "noteType")
        for n, (label, notes) in enumerate(extents or [([], [])]):
            last = n == 0
            self.add(
                "300",
                "  ",
                [
                    ("a", label or []),
                    ("b", [*notes, *(details["b"] if last else [])]),
                    ("c", dimensions if last else []),
                    ("e", details["e"] if last else []),
                ],
            )
        for node, name, tag in [
            *((work, "content", "336") for work in self.works),
            (self.node, "media", "337"),
            (self.node, "carrier", "338"),
        ]:
            for each in graph.objects(node, name):
                label, code = graph.said(each), graph.code(each)
                self.add(tag, "  ", [("a", label), ("b", [Text(code)] if code else []), ("2", [Text(RDA[tag])])])
        for name, table, tag in (("soundCharacteristic", SOUND, "344"), ("digitalCharacteristic", DIGITAL, "347")):
            for each in graph.objects(self.node, name):
                code = next((table[kind] for kind in table if kind in graph.types(each)), "a")
                self.add(tag, "  ", [(code, graph.said(each))])
        for node in [self.node, *self.items]:
            for each in graph.objects(node, "electronicLocator"):
                address = (
                    [Text(address_of(each))]
                    if address_of(each)
                    else list(graph.texts(each, RDF + "value") or graph.said(each))
                )
                notes = (
                    []
                    if is_literal(each)
                    else [text for one in graph.objects(each, "note") for text in graph.said(one)]
                )
                self.add("856", "4 ", [("u", address), ("z", notes)])

    def _languages(self) -> None:
        graph = self.graph
        codes: dict[str, list[Text]] = {}
        for work in self.works:
            for each in graph.objects(work, "language"):
                part = next((one.text for one in graph.texts(each, "part")), "") if not is_literal(each) else ""
                inner = graph.objects(each, RDF + "value") if not is_literal(each) else []
                label = graph.said(each)
                code = next((graph.code(one) or local_name(one) for one in inner), "") or graph.code(each)
                if not code and label and len(label[0].text) == 3:
                    code = label[0].text
                if not code:
                    self.add("546", "  ", [("a", label)])
                    continue
                kind = {
                    "original": "h",
                    "summary": "b",
                    "libretto": "e",
                    "table of contents": "f",
                    "accompanying": "g",
                    "subtitles": "j",
                }.get(part, "a")
                codes.setdefault(kind, []).append(Text(code))
                if kind == "a":
                    self.languages.append(code)
        if sum(map(len, codes.values())) > 1:
            self.add(
                "041",
                ("1" if "h" in codes else "0") + " ",
                [(kind, list(dict.fromkeys(codes[kind]))) for kind in sorted(codes)],
            )

    def _notes(self) -> None:
        graph = self.graph
        for node in [self.node, *self.works, *self.items]:
            for each in graph.objects(node, "note"):
                tag, code = NOTES.get(_note_kind(graph, each), ("500", "a"))
                if tag == "300" and node is self.node:
                    continue
                texts = graph.said(each)
                if not is_literal(each):
                    graph.texts(each, "noteType")
                    applies = [text for one in graph.objects(each, BFLC + "appliesTo") for text in graph.said(one)]
                else:
                    applies = []
                if tag == "300":
                    tag, code = "500", "a"
                ind1 = {"511": "0", "555": "8"}.get(tag, " ")
                self.add(tag, ind1 + " ", [("3", applies), (code, texts)])

    def _texts(self) -> None:
        graph = self.graph
        for node in self.both:
            for name, (tag, indicators, code) in TEXTS.items():
                for each in graph.objects(node, name):
                    self.add(tag, indicators, [(code, graph.said(each))])
            for each in graph.objects(node, "usageAndAccessPolicy"):
                tag = "506" if "AccessPolicy" in graph.types(each) else "540"
                self.add(tag, "  ", [("a", graph.said(each))])
            for each in graph.objects(node, "geographicCoverage"):
                code = graph.code(each) if "/geographicAreas/" in address_of(each) else ""
                label = graph.said(each)
                self.add("043" if code else "522", "  ", [("a", [Text(code.ljust(7, "-"))] if code else label)])
            for each in graph.objects(node, "cartographicAttributes"):
                graph.types(each)
                projection = [text for one in graph.objects(each, "projection") for text in graph.said(one)]
                self.add("255", "  ", [("b", projection), ("c", graph.texts(each, "coordinates"))])
            for each in graph.objects(node, "genreForm"):
                self._subject(each, genre=True)

    def _items(self) -> None:
        graph = self.graph
        for item in self.items:
            graph.types(item), graph.objects(item, "itemOf")
            held = []
            for one in graph.objects(item, "heldBy"):
                label, code = graph.said(one), organization(graph.code(one))
                held += [Text(code)] if code else label
            places = [text for one in graph.objects(item, "sublocation") for text in graph.said(one)]
            marks = [text for one in graph.objects(item, "shelfMark") for text in graph.said(one)]
            codes = [
                text
                for one in graph.objects(item, "identifiedBy")
                if graph.types(one)
                for text in graph.texts(one, RDF + "value")
            ]
            for each in graph.objects(item, "classification"):
                graph.types(each)
                marks += [
                    Text(" ".join(text.text for text in graph.texts(each, "classificationPortion", "itemPortion")))
                ]
            self.add(
                "852", "  ", [("a", held), ("b", places), ("h", [mark for mark in marks if mark.text]), ("p", codes)]
            )


def _bare(text: Text) -> Text:
    return Text(text.text.removeprefix("(").removesuffix(")"), text.script)


def _note_kind(graph: Graph, node: Any) -> str:
    if is_literal(node):
        return ""
    kinds = graph.types(node)
    said = [str(value) for predicate, value in graph.of.get(node, []) if predicate == BF + "noteType"]
    return next((name for name in [*sorted(kinds), *said] if name in NOTES), "")
