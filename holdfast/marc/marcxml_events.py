"""Records of MARCXML event by event: of a document in any form, and with the place and detail of what is wrong.

Sources: loc.gov/standards/marcxml (MARC21slim.xsd); ISO 25577:2013; Namespaces in XML 1.0.
"""

from __future__ import annotations

from typing import NamedTuple
from xml.parsers import expat

NAMESPACES = frozenset(
    {
        "http://www.loc.gov/MARC21/slim",
        "http://www.loc.gov/MARC21/slim/",
        "info:lc/xmlns/marcxchange-v1",
        "info:lc/xmlns/marcxchange-v2",
        "http://www.bs.dk/standards/MarcXchange",
        "",
    }
)


class RefusedError(Exception):
    pass


class Row(NamedTuple):
    field: int
    tag: str
    ind1: str | None
    ind2: str | None
    code: str | None
    value: str | None


def is_printable(text: str | None, length: int, lowest: str) -> bool:
    return text is not None and len(text) == length and all(lowest <= each <= "~" for each in text)


class _Record:
    """One record as its events come. `fault` is the first one: (code, event's byte, detail)."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.leader: str | None = None
        self.fault: tuple[str, int, str] | None = None
        self._open: list[str] = []
        self._text: list[str] = []
        self._field, self._subfields = -1, 0
        self._tag, self._ind1, self._ind2, self._code = "", "", "", ""

    def _reject(self, code: str, byte: int, detail: str) -> None:
        if self.fault is None:
            self.fault = (code, byte, detail)

    def start(self, name: str, attributes: dict[str, str], byte: int) -> None:
        within = self._open[-1] if self._open else "record"
        self._open.append(name)
        if (name, within) not in {
            ("leader", "record"),
            ("controlfield", "record"),
            ("datafield", "record"),
            ("subfield", "datafield"),
        }:
            self._reject("marc.xml_structure", byte, f"an element {_shape(name)} within {_shape(within)}")
        elif name == "subfield":
            self._code, self._subfields = attributes.get("code", ""), self._subfields + 1
            if not is_printable(attributes.get("code"), 1, " ") and attributes.get("code") != "":
                found = attributes.get("code")
                detail = "no code" if found is None else f"code {_shape(found)!r}"
                self._reject("marc.subfield_code", byte, f"field {self._tag}, subfield with {detail}")
        elif name != "leader":
            self._field, self._subfields, self._tag = self._field + 1, 0, attributes.get("tag", "")
            if not is_printable(attributes.get("tag"), 3, "!"):
                found = attributes.get("tag")
                detail = "no tag" if found is None else f"tag {_shape(found)!r}"
                self._reject("marc.tag", byte, f"field {self._field + 1}, a {name} with {detail}")
            if name == "datafield":
                self._ind1, self._ind2 = attributes.get("ind1", ""), attributes.get("ind2", "")
                for each in ("ind1", "ind2"):
                    if not is_printable(attributes.get(each), 1, " "):
                        detail = f"{each} {_shape(attributes[each])!r}" if each in attributes else f"no {each}"
                        self._reject("marc.indicators", byte, f"field {self._tag} with {detail}")
                if is_control(self._tag):
                    self._reject("marc.tag", byte, f"a datafield with the tag of a control field, {self._tag}")
        self._text.clear()

    def end(self, byte: int) -> None:
        name, text = self._open.pop(), "".join(self._text)
        if name == "leader":
            if self.leader is not None:
                self._reject("marc.leader", byte, "a second leader")
            elif not is_printable(text, 24, " "):
                shown = f"{len(text)} characters" if len(text) != 24 else "a character that is not ASCII"
                self._reject("marc.leader", byte, f"a leader of {shown}")
            self.leader = text
        elif name == "controlfield":
            self.rows.append(Row(self._field, self._tag, None, None, None, text))
        elif name == "subfield":
            if not self._code and text:
                self._reject("marc.subfield_code", byte, f"field {self._tag}, subfield with an empty code")
            self.rows.append(Row(self._field, self._tag, self._ind1, self._ind2, self._code, text))
        elif name == "datafield" and not self._subfields:
            self.rows.append(Row(self._field, self._tag, self._ind1, self._ind2, None, None))
        self._text.clear()

    def text(self, data: str, byte: int) -> None:
        if self._open and self._open[-1] in ("leader", "controlfield", "subfield"):
            self._text.append(data)
        elif data.strip(" \t\r\n"):
            within = self._open[-1] if self._open else "record"
            self._reject("marc.xml_structure", byte, f"text within {_shape(within)}")

    def close(self, byte: int) -> None:
        if self.leader is None:
            self._reject("marc.leader", byte, "no leader")


def is_control(tag: str) -> bool:
    """MARC 21 Record Structure: control fields are 001 to 009; 00X, as the reader of ISO 2709 has it."""
    return len(tag) == 3 and tag.startswith("00") and tag[2].isdigit()


def _shape(text: str) -> str:
    """What can't be read can't be masked: letters are not shown, but for names of the schema."""
    if text in ("record", "leader", "controlfield", "datafield", "subfield"):
        return text
    return "".join("a" if each.isalpha() else "9" if each.isdigit() else each for each in text[:40])


class Events:
    """Records out of the events of a document, each with its place."""

    def __init__(self, namespace_aware: bool) -> None:
        self.records: list[tuple[int, int, _Record]] = []
        self._aware = namespace_aware
        self._record: _Record | None = None
        self._start = self._depth = 0
        self.doctype_at: int | None = None
        self._parser: expat.XMLParserType | None = None

    def attach(self, parser: expat.XMLParserType) -> None:
        self._parser = parser
        parser.buffer_text = True
        parser.StartElementHandler = self._begin
        parser.EndElementHandler = self._finish
        parser.CharacterDataHandler = self._characters

    def passed(self) -> int:
        """Bytes of the file that are looked at and belong to no open record."""
        return self._byte if self._record is None else 0

    @property
    def _byte(self) -> int:
        return self._parser.CurrentByteIndex if self._parser else 0

    def _name(self, name: str) -> str:
        if self._aware:
            namespace, _, local = name.rpartition(" ")
            return local if namespace in NAMESPACES else name
        return name.rpartition(":")[2]

    def _begin(self, name: str, attributes: dict[str, str]) -> None:
        local = self._name(name)
        if self._record is not None:
            self._depth += 1
            self._record.start(local, attributes, self._byte)
        elif local == "record":
            self._record, self._start, self._depth = _Record(), self._byte, 0

    def _finish(self, name: str) -> None:
        if self._record is None:
            return
        if self._depth:
            self._depth -= 1
            self._record.end(self._byte)
            return
        self._record.close(self._byte)
        self.records.append((self._start, self._byte, self._record))
        self._record = None

    def _characters(self, text: str) -> None:
        if self._record is not None:
            # Buffered text is given at the tag behind it.
            self._record.text(text, self._byte)


def strict_parser(encoding: str | None, aware: bool) -> expat.XMLParserType:
    parser = expat.ParserCreate(encoding, " " if aware else None)
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
    if hasattr(parser, "SetReparseDeferralEnabled"):
        parser.SetReparseDeferralEnabled(False)  # what was given is looked at at once, and so is its fault found

    def refuse(*_: object) -> None:
        raise RefusedError

    parser.StartDoctypeDeclHandler = refuse
    return parser


def one_record(data: bytes) -> _Record:
    """The one record of these well-formed bytes, which may use prefixes that are bound elsewhere."""
    events = Events(namespace_aware=False)
    parser = strict_parser("utf-8", aware=False)
    events.attach(parser)
    parser.Parse(data, True)
    return events.records[0][2]
