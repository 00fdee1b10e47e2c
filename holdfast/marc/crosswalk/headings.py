"""Names, titles and subjects out of BIBFRAME.

Source: as of `vocabulary`.
"""

from __future__ import annotations

import re
from typing import Any

from holdfast.marc.crosswalk.description import Description, authority_parts
from holdfast.marc.crosswalk.graph import Text, address_of, is_literal, local_name
from holdfast.marc.crosswalk.vocabulary import AGENTS, BFLC, MADS, RDF, RDFS, SCHEMES, SUBJECTS, VARIANT_KINDS


class Headings(Description):
    """1XX, 24X, 6XX and 7XX."""

    def _contributions(self) -> None:
        graph = self.graph
        for node in self.both:
            for each in graph.objects(node, "contribution"):
                kinds = graph.types(each)
                first = "PrimaryContribution" in kinds and not self.primary
                roles = [(graph.said(role), _relator(role), graph.code(role)) for role in graph.objects(each, "role")]
                terms = [text for label, relator, _ in roles if not relator for text in label]
                codes = [Text(relator) for _, relator, _ in roles if relator]
                for agent in graph.objects(each, "agent"):
                    self._agent(agent, "1" if first else "7", [("e", terms), ("4", codes)])
                    self.primary = self.primary or first

    def _agent(self, agent: Any, series: str, behind: list[tuple[str, list[Text]]]) -> None:
        graph = self.graph
        kinds = graph.types(agent)
        ids = authority_parts(agent)
        keys = self._keys(agent)
        if keys:
            key, other = keys[0], keys[1:]
            parts = [(code, [Text(text)]) for code, text in key.subfields]
            for each in other:
                parts += [(code, [Text(text, each.tag)]) for code, text in each.subfields]
            tag = series + key.tag[1:]
            self.add(tag, key.indicators[0] + " ", [*parts, *behind, *ids])
            return
        digits, ind1 = next((AGENTS[name] for name in AGENTS if name in kinds), ("00", "1"))
        label = graph.label(agent)
        if not label:
            return
        if "Uncontrolled" in kinds and series == "7":
            self.add("720", "  ", [("a", label), *behind])
            return
        if digits == "00" and ind1 == "1" and "," not in label[0].text:
            ind1 = "0"
        self.add(series + digits, ind1 + " ", [("a", label), *behind, *ids])

    def _titles(self) -> None:
        graph = self.graph
        statement = [text for node in [self.node] for text in graph.texts(node, "responsibilityStatement")]
        main = False
        for node in (self.node, *self.works):
            for each in graph.objects(node, "title"):
                kinds = graph.types(each)
                skip = next((one.text for one in graph.texts(each, BFLC + "nonSortNum")), "0")
                graph.texts(each, BFLC + "titleSortKey", RDFS + "label")
                parts = [
                    ("a", graph.texts(each, "mainTitle")),
                    ("b", graph.texts(each, "subtitle")),
                    ("n", graph.texts(each, "partNumber")),
                    ("p", graph.texts(each, "partName")),
                ]
                variant = next((one.text for one in graph.texts(each, "variantType")), "")
                variant = variant or next((name for name in sorted(kinds) if name in VARIANT_KINDS), "")
                if "KeyTitle" in kinds or "AbbreviatedTitle" in kinds:
                    tag = "222" if "KeyTitle" in kinds else "210"
                    ind = (" " + skip[-1:]) if tag == "222" else "0 "
                    self.add(tag, ind, [parts[0], ("b", graph.texts(each, "qualifier"))])
                elif kinds & {"VariantTitle", "ParallelTitle", "CollectiveTitle"} or variant:
                    tag = {"translated": "242", "tra": "242", "former": "247", "for": "247"}.get(variant, "246")
                    ind2 = "1" if "ParallelTitle" in kinds else VARIANT_KINDS.get(variant, " ")
                    ind = {"242": "1" + skip[-1:], "247": "10"}.get(tag, "3" + ind2)
                    notes = [text for one in graph.objects(each, "note") for text in graph.said(one)]
                    self.add(tag, ind, [("i", notes), *parts] if tag == "246" else parts)
                elif not main:
                    main = True
                    self.add("245", ("1" if self.primary else "0") + skip[-1:], [*parts, ("c", statement)])
                elif node is not self.node and not self._is_title(parts):
                    self.add(
                        "240" if self.primary else "130",
                        "1" + skip[-1:] if self.primary else skip[-1:] + " ",
                        [parts[0], *parts[2:]],
                    )
        for work in self.works:
            for hub in graph.objects(work, "expressionOf"):
                self._uniform(hub)

    def _is_title(self, parts: list[tuple[str, list[Text]]]) -> bool:
        """Is it the text of 245 $a?"""
        title = next((each for each in self.fields if each.tag == "245"), None)
        if title is None or not parts[0][1]:
            return True
        whole = _folded(" ".join(value for code, value in title.subfields if code in "anpb"))
        return any(_folded(each.text) in whole for each in parts[0][1])

    def _uniform(self, hub: Any) -> None:
        keys = self._keys(hub)
        self.graph.types(hub)
        if any(each.tag in ("130", "240") for each in self.fields):
            return
        subfields: list[tuple[str, list[Text]]] = []
        if keys:
            name, found = keys[0].tag in ("130",), keys[0].subfields
            at = next((n for n, (code, _) in enumerate(found) if code == "t"), 0)
            subfields = [("a" if code == "t" else code, [Text(text)]) for code, text in (found if name else found[at:])]
        else:
            for title in self.graph.objects(hub, "title"):
                self.graph.types(title)
                subfields += [
                    ("a", self.graph.texts(title, "mainTitle")),
                    ("n", self.graph.texts(title, "partNumber")),
                    ("p", self.graph.texts(title, "partName")),
                ]
        if subfields:
            self.add(
                "240" if self.primary else "130",
                "10" if self.primary else "0 ",
                [*subfields, *authority_parts(hub, "1")],
            )

    def _subjects(self) -> None:
        for work in self.works:
            for each in self.graph.objects(work, "subject"):
                self._subject(each)

    def _subject(self, node: Any, *, genre: bool = False) -> None:
        graph = self.graph
        if is_literal(node):
            self.add("653", "  ", [("a", graph.said(node))])
            return
        kinds = graph.types(node)
        scheme = self._scheme(node)
        keys = self._keys(node)
        ind2 = SCHEMES.get(scheme, "7" if scheme else "4")
        if keys:
            tag = _subject_tag(keys[0].tag, genre)
            behind = [("2", [Text(scheme)])] if ind2 == "7" else []
            parts = [(code, [Text(text)]) for code, text in keys[0].subfields]
            for each in keys[1:]:
                parts += [(code, [Text(text, each.tag)]) for code, text in each.subfields]
            self._components(node)
            ind1 = (
                keys[0].indicators[0]
                if tag in ("600", "610", "611")
                else keys[0].indicators[1]
                if tag == "630"
                else " "
            )
            self.add(tag, ind1 + ind2, [*parts, *authority_parts(node), *behind])
            return
        components = self._components(node)
        label = graph.label(node)
        if not label and not components:
            label = [text for each in graph.objects(node, "title") if graph.types(each) for text in graph.label(each)]
        if not label and not components:
            return
        if "Uncontrolled" in kinds and not scheme and not genre:
            self.add("653", "  ", [("a", label)])
            return
        tag = "655" if genre else next((SUBJECTS[name][0] for name in SUBJECTS if name in kinds), "")
        if not tag:
            digits, _ = next((AGENTS[name] for name in AGENTS if name in kinds), ("50", " "))
            tag = "630" if kinds & {"Work", "Hub", "Instance"} else "6" + digits
        parts = [("a", label)]
        if components:
            tag = "655" if genre else components[0][0]
            parts = [("a", components[0][2]), *((code, text) for _, code, text in components[1:])]
        elif "ComplexSubject" in kinds and label:
            first, *rest = [each.strip() for each in label[0].text.split("--")]
            parts = [("a", [Text(first)]), *(("x", [Text(each)]) for each in rest)]
        ind1 = {"600": "1", "610": "2", "611": "2", "630": "0"}.get(tag, " ")
        self.add(tag, ind1 + ind2, [*parts, *authority_parts(node), ("2", [Text(scheme)] if ind2 == "7" else [])])

    def _scheme(self, node: Any) -> str:
        graph = self.graph
        for each in graph.objects(node, "source", MADS + "isMemberOfMADSScheme"):
            label = [] if is_literal(each) else graph.said(each)
            code = str(each) if is_literal(each) else graph.code(each)
            if code or label:
                return code or label[0].text
        address = address_of(node)
        match = re.search(r"id\.loc\.gov/authorities/(\w+)/", address)
        if match:
            return {"genreForms": "lcgft", "performanceMediums": "lcmpt", "demographicTerms": "lcdgt"}.get(
                match[1], match[1]
            )
        return "fast" if "id.worldcat.org/fast" in address else ""

    def _components(self, node: Any) -> list[tuple[str, str, list[Text]]]:
        """Components of a complex subject: (tag, code behind another, text)."""
        graph = self.graph
        found = []
        for head in graph.objects(node, MADS + "componentList"):
            while head is not None and graph.of.get(head):
                for each in graph.objects(head, RDF + "first"):
                    kinds = graph.types(each)
                    tag, code = next((SUBJECTS[name] for name in SUBJECTS if name in kinds), ("650", "x"))
                    keys = self._keys(each)
                    label = graph.label(each) or ([Text(text) for _, text in keys[0].subfields] if keys else [])
                    found.append((tag, code, label))
                head = next(iter(graph.objects(head, RDF + "rest")), None)
        return [each for each in found if each[2]]


def _folded(text: str) -> str:
    return re.sub(r"\W+", " ", text.lower()).strip()


def _relator(role: Any) -> str:
    address = address_of(role)
    return local_name(address) if "/vocabulary/relators/" in address else ""


def _subject_tag(tag: str, genre: bool) -> str:
    if genre:
        return "655"
    return {"148": "648", "150": "650", "151": "651", "155": "655"}.get(tag, "6" + tag[1:])
