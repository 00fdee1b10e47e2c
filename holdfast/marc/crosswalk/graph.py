"""A graph of BIBFRAME as its statements: every one that a rule has read is marked, so that what is left can be told."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from holdfast.marc.crosswalk.vocabulary import BF, BFLC, MADS, PREFIXES, RDF, RDFS, SCRIPTS


class Text(NamedTuple):
    text: str
    script: str = ""  # of $6; empty: Latin, or not told


class Graph:
    """Statements of a graph in the order in which they came, and which of them were read."""

    def __init__(self, statements: Iterable[Any]) -> None:
        self.of: dict[Any, list[tuple[str, Any]]] = {}
        self.into: dict[Any, list[tuple[Any, str]]] = {}
        for subject, predicate, value in statements:
            self.of.setdefault(subject, []).append((str(predicate), value))
            self.into.setdefault(value, []).append((subject, str(predicate)))
        self.used: set[tuple[Any, str, Any]] = set()

    def objects(self, node: Any, *names: str) -> list[Any]:
        """Values of these properties, which are bf: where they have no namespace; marks them as read."""
        wanted = {name if ":" in name else BF + name for name in names}
        found = [(predicate, value) for predicate, value in self.of.get(node, []) if predicate in wanted]
        self.used.update((node, predicate, value) for predicate, value in found)
        return [value for _, value in found]

    def texts(self, node: Any, *names: str) -> list[Text]:
        return [
            Text(clean(str(value)), script_of(getattr(value, "language", None)))
            for value in self.objects(node, *names)
            if is_literal(value) and clean(str(value))
        ]

    def types(self, node: Any) -> set[str]:
        """Local names of the node's classes."""
        return {local_name(value) for value in self.objects(node, RDF + "type")}

    def label(self, node: Any) -> list[Text]:
        """What a resource is called, by the first property that says it."""
        for name in (RDFS + "label", MADS + "authoritativeLabel", RDF + "value", BF + "mainTitle"):
            if found := self.texts(node, name):
                return found
        return []

    def code(self, node: Any) -> str:
        """Code of a resource: said, or the last part of an address at id.loc.gov."""
        for name in (BF + "code", MADS + "code"):
            # An organization has its code in several forms; the one of MARC is wanted.
            found = sorted(
                self.objects(node, name), key=lambda value: local_name(getattr(value, "datatype", None) or "") != "code"
            )
            plain = [
                each
                for each in found
                if local_name(getattr(each, "datatype", None) or "") not in ("iso15511", "normalized")
            ]
            if plain or found:
                return clean(str((plain or found)[0]))
        address = address_of(node)
        return local_name(address) if "id.loc.gov/" in address else ""

    def codes(self, nodes: list[Any]) -> list[str]:
        """Codes of these resources; that their labels were read is marked too, which say the same."""
        for each in nodes:
            self.said(each)
        return [self.code(each) for each in nodes]

    def said(self, value: Any) -> list[Text]:
        """Text of a value that is a text or a labelled resource."""
        if is_literal(value):
            text = clean(str(value))
            return [Text(text, script_of(getattr(value, "language", None)))] if text else []
        self.types(value)
        return self.label(value)


def is_literal(value: Any) -> bool:
    return hasattr(value, "datatype")


def address_of(node: Any) -> str:
    return "" if is_literal(node) or type(node).__name__ == "BNode" else str(node)


def clean(text: str) -> str:
    """Text without the line breaks and margins of a pretty-printed file."""
    return re.sub("[\x00-\x1f]", " ", re.sub(r"\s*[\r\n]\s*", " ", text)).strip()


def local_name(address: Any) -> str:
    return re.split("[/#]", str(address).rstrip("/#"))[-1]


def script_of(language: str | None) -> str:
    for part in (language or "").lower().split("-")[1:]:
        if len(part) == 4 and part.isalpha():
            return "" if part == "latn" else SCRIPTS.get(part, part.capitalize())
    return ""


def has_type(graph: Graph, node: Any, name: str) -> bool:
    return any(predicate == RDF + "type" and str(value) == BF + name for predicate, value in graph.of.get(node, []))


# What programs keep for themselves, and what repeats a label: nothing that a record would have to say.
MACHINE = {
    BFLC + "aap",
    BFLC + "aap-normalized",
    RDF + "first",
    RDF + "rest",
    MADS + "authoritativeLabel",
    MADS + "elementList",
    MADS + "elementValue",
}
_OWN = {BF + "hasInstance", BF + "itemOf", BFLC + "applicableInstance"}


def is_described(graph: Graph, node: Any) -> bool:
    if not has_type(graph, node, "Instance"):
        return False
    if any(predicate not in _OWN for subject, predicate in graph.into.get(node, []) if subject != node):
        return False
    return any(predicate in (BF + "title", BF + "instanceOf") for predicate, _ in graph.of[node])


def short_name(address: str) -> str:
    for namespace, prefix in PREFIXES.items():
        if address.startswith(namespace):
            return prefix + address[len(namespace) :]
    return address
