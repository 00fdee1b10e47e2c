"""Series and linked resources out of BIBFRAME.

Source: as of `vocabulary`.
"""

from __future__ import annotations

from typing import Any

from holdfast.marc.crosswalk.description import Description, authority_parts
from holdfast.marc.crosswalk.graph import Text, is_literal, local_name
from holdfast.marc.crosswalk.vocabulary import BFLC, IDENTIFIERS, LINKS, RDF, RDFS, RELATIONSHIPS


class Links(Description):
    """490, 76X to 78X and 8XX."""

    def _relations(self) -> None:
        graph = self.graph
        for node in self.both:
            for name, (tag, ind2) in LINKS.items():
                for each in graph.objects(node, name):
                    self._link(each, tag, ind2, [])
            for each in graph.objects(node, "isPartOf"):
                self._series(each)
            for relation in graph.objects(node, "relation", BFLC + "relationship"):
                graph.types(relation)
                kinds = [
                    graph.code(one) or local_name(one)
                    for one in graph.objects(relation, "relationship", BFLC + "relation")
                ]
                labels = [
                    text
                    for one in graph.objects(relation, "relationship", BFLC + "relation")
                    for text in graph.said(one)
                ]
                for each in graph.objects(relation, "associatedResource", "relatedTo"):
                    if "series" in kinds:
                        self._series(each, graph.texts(relation, "seriesEnumeration"))
                        continue
                    tag, ind2 = next((RELATIONSHIPS[kind] for kind in kinds if kind in RELATIONSHIPS), ("787", " "))
                    self._link(each, tag, ind2, labels)

    def _series(self, node: Any, enumeration: list[Text] | None = None) -> None:
        graph = self.graph
        if is_literal(node):
            self.add("490", "0 ", [("a", graph.said(node))])
            return
        kinds = graph.types(node)
        keys = self._keys(node)
        numbers = [*(enumeration or []), *graph.texts(node, "seriesEnumeration", "enumerationAndChronology")]
        inner = [work for work in graph.objects(node, "instanceOf", "expressionOf") if graph.types(work)]
        for each in inner:
            keys = keys or self._keys(each)
        if keys:
            tag = {"100": "800", "110": "810", "111": "811", "130": "830"}.get(keys[0].tag, "830")
            indicators = " " + keys[0].indicators[0] if tag == "830" else keys[0].indicators[0] + " "
            self.add(tag, indicators, [*((code, [Text(text)]) for code, text in keys[0].subfields), ("v", numbers)])
            return
        titles = [self._title(each) for each in [node, *inner]]
        title = next((each for each in titles if each), [])
        numbers_of = [
            text
            for one in graph.objects(node, "identifiedBy")
            if "Issn" in graph.types(one)
            for text in graph.texts(one, RDF + "value")
        ]
        traced = "1" if "Uncontrolled" not in kinds and kinds & {"Hub"} else "0"
        self.add("490", traced + " ", [("a", title), ("x", numbers_of), ("v", numbers)])

    def _title(self, node: Any) -> list[Text]:
        graph = self.graph
        for each in graph.objects(node, "title"):
            graph.types(each), graph.texts(each, BFLC + "nonSortNum")
            found = [*graph.texts(each, "mainTitle"), *graph.texts(each, "partNumber"), *graph.texts(each, "partName")]
            graph.texts(each, RDFS + "label")
            if found:
                return found
        return self.graph.label(node)

    def _link(self, node: Any, tag: str, ind2: str, labels: list[Text]) -> None:
        graph = self.graph
        if is_literal(node):
            self.add(tag, "0" + ind2, [("i", labels), ("t" if tag != "510" else "a", graph.said(node))])
            return
        kinds = graph.types(node)
        keys = self._keys(node)
        if keys and tag == "787" and kinds & {"Work", "Hub"}:
            entry = "7" + keys[0].tag[1:]
            indicators = keys[0].indicators[0] + " "
            if entry == "730":
                indicators = "0 "
            parts = [("i", labels), *((code, [Text(text)]) for code, text in keys[0].subfields)]
            self.add(entry, indicators, [*parts, *authority_parts(node, "1")])
            return
        title = self._title(node)
        names = [
            text
            for each in graph.objects(node, "contribution")
            if graph.types(each)
            for agent in graph.objects(each, "agent")
            for text in self._named(agent)
        ]
        numbers: list[tuple[str, list[Text]]] = []
        for each in graph.objects(node, "identifiedBy"):
            name = next((name for name in IDENTIFIERS if name in graph.types(each)), "Identifier")
            code = {"Issn": "x", "Isbn": "z", "Coden": "y"}.get(name, "w")
            before = {"Lccn": "(DLC)", "OclcNumber": "(OCoLC)"}.get(name, "")
            numbers.append((code, [Text(before + text.text) for text in graph.texts(each, RDF + "value")]))
        notes = [text for each in graph.objects(node, "note") for text in graph.said(each)]
        code = "a" if tag == "510" else "t"
        if title or names or numbers:
            order = [("i", labels), ("a", names), (code, title), ("n", notes), *numbers]
            self.add(
                tag,
                ("4" if tag == "510" else "0") + ind2,
                [each for each in order if not (tag == "510" and each[0] == "i")],
            )
