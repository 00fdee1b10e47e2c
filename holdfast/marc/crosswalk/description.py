"""What an Instance, its Works and Items become: fields, each with its linked 880 where something is in another script."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from holdfast.marc.crosswalk.graph import Graph, Text, address_of, clean, is_literal, script_of
from holdfast.marc.crosswalk.vocabulary import BF, BFLC, MADS, RDFS


@dataclass
class Field:
    tag: str
    indicators: str
    subfields: list[tuple[str, str]]


def organization(code: str) -> str:
    """MARC organization code as it is written: id.loc.gov has it in small letters."""
    return {"dlc": "DLC"}.get(code, code)


def authority_parts(node: Any, code: str = "0") -> list[tuple[str, list[Text]]]:
    address = address_of(node)
    if "/rwo/" in address or "/resources/" in address:
        code = "1"
    if not address.startswith(("http://id.", "https://id.")):
        return []
    return [(code, [Text(address)])]


def _parse_key(text: str) -> Field | None:
    """'1001 $aGrant, Douglas,$d1883-1924.' as a field."""
    match = re.fullmatch(r"(\d{3})(.)(.)(\$.*)", text.strip("\r\n"), re.DOTALL)
    if match is None:
        return None
    subfields = [(part[0], clean(part[1:])) for part in re.split(r"\$(?=[a-z0-9])", match[4])[1:] if clean(part[1:])]
    return (
        Field(match[1], match[2] + match[3], [each for each in subfields if each[0] not in "6"]) if subfields else None
    )


class Description:
    """One Instance with its Works and Items on the way to a record."""

    def __init__(self, graph: Graph, node: Any) -> None:
        self.graph, self.node = graph, node
        self.works = list(
            dict.fromkeys(
                [
                    *graph.objects(node, "instanceOf"),
                    *(subject for subject, predicate in graph.into.get(node, []) if predicate == BF + "hasInstance"),
                ]
            )
        )
        for work in self.works:
            graph.objects(work, "hasInstance")
        self.items = list(
            dict.fromkeys(
                [
                    *graph.objects(node, "hasItem"),
                    *(subject for subject, predicate in graph.into.get(node, []) if predicate == BF + "itemOf"),
                ]
            )
        )
        self.fields: list[Field] = []
        self.links = 0
        self.primary = False
        self.types = set().union(graph.types(node), *(graph.types(work) for work in self.works))
        self.dates: list[str] = []
        self.country = ""
        self.languages: list[str] = []
        self.admin: dict[str, str] = {}

    @property
    def both(self) -> list[Any]:
        return [*self.works, self.node]

    # -- fields, with their 880 --

    def add(self, tag: str, indicators: str, parts: list[tuple[str, list[Text]]]) -> None:
        """A field of these subfields; what is in another script becomes a linked 880."""
        plain = [(code, each.text) for code, texts in parts for each in texts if not each.script and each.text]
        other = [(code, each.text) for code, texts in parts for each in texts if each.script and each.text]
        scripts = [each.script for _, texts in parts for each in texts if each.script]
        if plain and other and any(code not in "02" for code, _ in plain):
            self.links += 1
            self.fields.append(Field(tag, indicators, [("6", f"880-{self.links:02}"), *plain]))
            self.fields.append(Field("880", indicators, [("6", f"{tag}-{self.links:02}/{scripts[0]}"), *other]))
        elif plain or other:
            self.fields.append(Field(tag, indicators, [(code, each.text) for code, texts in parts for each in texts]))

    def _keys(self, node: Any) -> list[Field]:
        """MARC keys of a resource (bflc:marcKey): the Latin one first. Of another script the tag is the script's code in $6."""
        graph = self.graph
        plain: list[Field] = []
        other: list[Field] = []
        for predicate, value in list(graph.of.get(node, [])):
            if predicate.startswith(BFLC) and predicate.lower().endswith("marckey") and is_literal(value):
                graph.used.add((node, predicate, value))
                if parsed := _parse_key(str(value)):
                    script = script_of(getattr(value, "language", None))
                    if script:
                        parsed.tag = script
                    (other if script else plain).append(parsed)
            elif predicate.startswith(BFLC) and predicate.lower().endswith("matchkey"):
                graph.used.add((node, predicate, value))
        if plain or other:
            # The key says what the label says.
            for name in (RDFS + "label", MADS + "authoritativeLabel"):
                graph.objects(node, name)
        return [*plain[:1], *other[:1]] if plain else []

    def _named(self, agent: Any) -> list[Text]:
        self.graph.types(agent)
        return self.graph.label(agent)
