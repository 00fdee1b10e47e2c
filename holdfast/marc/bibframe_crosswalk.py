"""From BIBFRAME 2 to MARC 21: the core of Work, Instance and Item. docs/reference/bibframe.md is made from the tables here.

Every statement that a rule has read is marked; what is left of an Instance's description is told as unmapped, by property.

Source: Library of Congress, BIBFRAME to MARC Conversion Specifications (loc.gov/bibframe/bftm): fields, indicators and
subfields as there; where the specifications look something up at id.loc.gov, what the graph says itself is used.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

BF = "http://id.loc.gov/ontologies/bibframe/"
BFLC = "http://id.loc.gov/ontologies/bflc/"
MADS = "http://www.loc.gov/mads/rdf/v1#"
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
RDFS = "http://www.w3.org/2000/01/rdf-schema#"
_PREFIXES = {BF: "bf:", BFLC: "bflc:", MADS: "madsrdf:", RDF: "rdf:", RDFS: "rdfs:"}

# ---- the tables ----------------------------------------------------------------------------------------------------

# Class of an identifier → tag, first indicator, what stands before the value, $2.
IDENTIFIERS: dict[str, tuple[str, str, str, str]] = {
    "Lccn": ("010", " ", "", ""),
    "Nbn": ("015", " ", "", ""),
    "CopyrightNumber": ("017", " ", "", ""),
    "Isbn": ("020", " ", "", ""),
    "Issn": ("022", " ", "", ""),
    "IssnL": ("023", "0", "", ""),
    "Isrc": ("024", "0", "", ""),
    "Upc": ("024", "1", "", ""),
    "Ismn": ("024", "2", "", ""),
    "Ean": ("024", "3", "", ""),
    "Sici": ("024", "4", "", ""),
    "Doi": ("024", "7", "", "doi"),
    "Hdl": ("024", "7", "", "hdl"),
    "Urn": ("024", "7", "", "urn"),
    "Gtin14Number": ("024", "7", "", "gtin-14"),
    "Isan": ("024", "7", "", "isan"),
    "Istc": ("024", "7", "", "istc"),
    "Iswc": ("024", "7", "", "iswc"),
    "Isni": ("024", "7", "", "isni"),
    "LcOverseasAcq": ("025", " ", "", ""),
    "Fingerprint": ("026", " ", "", ""),
    "Strn": ("027", " ", "", ""),
    "AudioIssueNumber": ("028", "0", "", ""),
    "MatrixNumber": ("028", "1", "", ""),
    "MusicPlate": ("028", "2", "", ""),
    "MusicPublisherNumber": ("028", "3", "", ""),
    "VideoRecordingNumber": ("028", "4", "", ""),
    "PublisherNumber": ("028", "5", "", ""),
    "MusicDistributorNumber": ("028", "6", "", ""),
    "Coden": ("030", " ", "", ""),
    "PostalRegistration": ("032", " ", "", ""),
    "OclcNumber": ("035", " ", "(OCoLC)", ""),
    "Local": ("035", " ", "", ""),
    "StockNumber": ("037", " ", "", ""),
    "ReportNumber": ("088", " ", "", ""),
    "Identifier": ("024", "8", "", ""),
}
# Class → tag and second indicator.
CLASSIFICATIONS = {
    "ClassificationLcc": ("050", "4"),
    "ClassificationNlm": ("060", "4"),
    "ClassificationNal": ("070", " "),
    "ClassificationUdc": ("080", " "),
    "ClassificationDdc": ("082", "4"),
    "Classification": ("084", " "),
}
# Class of a provision activity → second indicator of 264.
PROVISIONS = {"Production": "0", "Publication": "1", "Distribution": "2", "Manufacture": "3"}
# Code of a note type (id.loc.gov/vocabulary/mnotetype) or its words → tag and code; any other is 500 $a.
NOTES = {
    "physical": ("300", "b"),
    "accmat": ("300", "e"),
    "with": ("501", "a"),
    "dissertation": ("502", "a"),
    "biblio": ("504", "a"),
    "credits": ("508", "a"),
    "participants": ("511", "a"),
    "performers": ("511", "a"),
    "report": ("513", "a"),
    "issuance": ("515", "a"),
    "number": ("515", "a"),
    "computer": ("516", "a"),
    "event": ("518", "a"),
    "supplement": ("525", "a"),
    "addphys": ("530", "a"),
    "repro": ("533", "a"),
    "orig": ("534", "n"),
    "loc": ("535", "a"),
    "fund": ("536", "a"),
    "system": ("538", "a"),
    "lang": ("546", "a"),
    "biogdata": ("545", "a"),
    "related": ("580", "a"),
    "index": ("555", "a"),
    "finding": ("555", "a"),
    "award": ("586", "a"),
    "descsource": ("588", "a"),
}
# Work type → leader/06; the first that fits.
MATERIALS = (
    (("NotatedMusic", "Manuscript"), "d"),
    (("NotatedMusic",), "c"),
    (("Cartography", "Manuscript"), "f"),
    (("Cartography",), "e"),
    (("Cartographic",), "e"),
    (("MovingImage",), "g"),
    (("NonMusicAudio",), "i"),
    (("MusicAudio",), "j"),
    (("Audio",), "i"),
    (("StillImage",), "k"),
    (("Multimedia",), "m"),
    (("MixedMaterial",), "p"),
    (("Object",), "r"),
    (("Text", "Manuscript"), "t"),
)
# Class of an agent → last two digits of the tag and first indicator.
AGENTS = {
    "Person": ("00", "1"),
    "Family": ("00", "3"),
    "Organization": ("10", "2"),
    "Jurisdiction": ("10", "1"),
    "Meeting": ("11", "2"),
}
# Class of a subject → tag, and code where it stands behind another one.
SUBJECTS = {
    "Topic": ("650", "x"),
    "Geographic": ("651", "z"),
    "HierarchicalGeographic": ("651", "z"),
    "Place": ("651", "z"),
    "Temporal": ("648", "y"),
    "GenreForm": ("655", "v"),
}
# Scheme → second indicator of 6XX.
SCHEMES = {
    "subjects": "0",
    "lcsh": "0",
    "names": "0",
    "naf": "0",
    "childrensSubjects": "1",
    "lcshac": "1",
    "mesh": "2",
    "nal": "3",
    "cash": "5",
    "rvm": "6",
}
# Property of the Work or Instance with text, or with a labelled resource → tag, indicators, code.
TEXTS: dict[str, tuple[str, str, str]] = {
    "summary": ("520", "  ", "a"),
    "tableOfContents": ("505", "0 ", "a"),
    "intendedAudience": ("521", "  ", "a"),
    "supplementaryContent": ("504", "  ", "a"),
    "editionStatement": ("250", "  ", "a"),
    "frequency": ("310", "  ", "a"),
    "duration": ("306", "  ", "a"),
    "credits": ("508", "  ", "a"),
    "custodialHistory": ("561", "  ", "a"),
    "musicMedium": ("382", "  ", "a"),
    "musicKey": ("384", "  ", "a"),
    "musicThematicNumber": ("383", "  ", "c"),
    "scale": ("255", "  ", "a"),
    "originDate": ("046", "  ", "k"),
    "baseMaterial": ("340", "  ", "a"),
    "generation": ("340", "  ", "j"),
    "colorContent": ("340", "  ", "g"),
    "polarity": ("340", "  ", "o"),
    "notation": ("546", "  ", "b"),
    "arrangement": ("351", "  ", "a"),
    "preferredCitation": ("524", "  ", "a"),
    "firstIssue": ("362", "1 ", "a"),
    "acquisitionSource": ("037", "  ", "b"),
    "musicFormat": ("348", "  ", "a"),
    "seriesStatement": ("490", "0 ", "a"),
    "natureOfContent": ("513", "  ", "a"),
    "contentAccessibility": ("532", "8 ", "a"),
    "immediateAcquisition": ("541", "  ", "a"),
}
SOUND = {
    "RecordingMethod": "a",
    "RecordingMedium": "b",
    "PlayingSpeed": "c",
    "GrooveCharacteristic": "d",
    "TrackConfig": "e",
    "TapeConfig": "f",
    "PlaybackChannels": "g",
    "PlaybackCharacteristic": "h",
    "CaptureStorage": "i",
}
DIGITAL = {
    "FileType": "a",
    "EncodingFormat": "b",
    "FileSize": "c",
    "Resolution": "d",
    "RegionalEncoding": "e",
    "EncodedBitrate": "f",
}
# Property whose object is another resource → linking field and second indicator.
LINKS = {
    "translationOf": ("765", " "),
    "supplementTo": ("772", " "),
    "supplement": ("770", " "),
    "accompaniedBy": ("777", " "),
    "issuedWith": ("777", " "),
    "otherEdition": ("775", " "),
    "otherPhysicalFormat": ("776", " "),
    "hasReproduction": ("776", " "),
    "reproductionOf": ("776", " "),
    "precededBy": ("780", "0"),
    "continues": ("780", "0"),
    "succeededBy": ("785", "0"),
    "continuedBy": ("785", "0"),
    "dataSource": ("786", " "),
    "relatedTo": ("787", " "),
    "references": ("787", " "),
    "indexedIn": ("510", " "),
}
# Code of a relationship (id.loc.gov/vocabulary/relationship) → likewise.
RELATIONSHIPS = {name.lower(): place for name, place in LINKS.items()} | {
    "absorptionof": ("780", "5"),
    "absorbed": ("780", "5"),
    "absorptioninpartof": ("780", "6"),
    "mergerof": ("780", "4"),
    "continuesinpart": ("780", "1"),
    "separatedfrom": ("780", "7"),
    "absorbedby": ("785", "4"),
    "absorbedinpartby": ("785", "5"),
    "continuedinpartby": ("785", "1"),
    "splitinto": ("785", "6"),
    "mergedtoform": ("785", "7"),
    "reproduction": ("776", " "),
    "translatedas": ("767", " "),
    "translation": ("767", " "),
    "subseries": ("762", " "),
    "mainseries": ("760", " "),
}
# Sub-tag of a language tag (ISO 15924) → identification of the script in $6.
SCRIPTS = {"arab": "(3", "cyrl": "(N", "grek": "(S", "hebr": "(2"} | dict.fromkeys(
    ("hani", "hans", "hant", "jpan", "kore", "hira", "kana", "hang"), "$1"
)
_VARIANT_KINDS = {
    "por": "0",
    "portion": "0",
    "parallel": "1",
    "par": "1",
    "dis": "2",
    "distinctive": "2",
    "cov": "4",
    "cover": "4",
    "atp": "5",
    "added title page": "5",
    "cap": "6",
    "caption": "6",
    "run": "7",
    "running": "7",
    "spi": "8",
    "spine": "8",
}
_RDA = {"336": "rdacontent", "337": "rdamedia", "338": "rdacarrier"}


# ---- what comes out ------------------------------------------------------------------------------------------------


class Text(NamedTuple):
    text: str
    script: str = ""  # of $6; empty: Latin, or not told


@dataclass
class Field:
    tag: str
    indicators: str
    subfields: list[tuple[str, str]]


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


# ---- reading a graph -----------------------------------------------------------------------------------------------


class _Graph:
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
            Text(_clean(str(value)), _script(getattr(value, "language", None)))
            for value in self.objects(node, *names)
            if _is_literal(value) and _clean(str(value))
        ]

    def types(self, node: Any) -> set[str]:
        """Local names of the node's classes."""
        return {_local(value) for value in self.objects(node, RDF + "type")}

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
                self.objects(node, name), key=lambda value: _local(getattr(value, "datatype", None) or "") != "code"
            )
            plain = [
                each
                for each in found
                if _local(getattr(each, "datatype", None) or "") not in ("iso15511", "normalized")
            ]
            if plain or found:
                return _clean(str((plain or found)[0]))
        address = _address(node)
        return _local(address) if "id.loc.gov/" in address else ""

    def codes(self, nodes: list[Any]) -> list[str]:
        """Codes of these resources; that their labels were read is marked too, which say the same."""
        for each in nodes:
            self.said(each)
        return [self.code(each) for each in nodes]

    def said(self, value: Any) -> list[Text]:
        """Text of a value that is a text or a labelled resource."""
        if _is_literal(value):
            text = _clean(str(value))
            return [Text(text, _script(getattr(value, "language", None)))] if text else []
        self.types(value)
        return self.label(value)


def _is_literal(value: Any) -> bool:
    return hasattr(value, "datatype")


def _address(node: Any) -> str:
    return "" if _is_literal(node) or type(node).__name__ == "BNode" else str(node)


def _clean(text: str) -> str:
    """Text without the line breaks and margins of a pretty-printed file."""
    return re.sub("[\x00-\x1f]", " ", re.sub(r"\s*[\r\n]\s*", " ", text)).strip()


def _local(address: Any) -> str:
    return re.split("[/#]", str(address).rstrip("/#"))[-1]


def _script(language: str | None) -> str:
    for part in (language or "").lower().split("-")[1:]:
        if len(part) == 4 and part.isalpha():
            return "" if part == "latn" else SCRIPTS.get(part, part.capitalize())
    return ""


def records_of(statements: Iterable[Any]) -> Iterator[Record]:
    """A record for each Instance that is described for itself, not just named by another resource.

    `statements` are (subject, predicate, object) of rdflib.
    """
    ours = _Graph(statements)
    for instance in [node for node in ours.of if _is_described(ours, node)]:
        yield _Instance(ours, instance).record()


def _has_type(graph: _Graph, node: Any, name: str) -> bool:
    return any(predicate == RDF + "type" and str(value) == BF + name for predicate, value in graph.of.get(node, []))


# What programs keep for themselves, and what repeats a label: nothing that a record would have to say.
_MACHINE = {
    BFLC + "aap",
    BFLC + "aap-normalized",
    RDF + "first",
    RDF + "rest",
    MADS + "authoritativeLabel",
    MADS + "elementList",
    MADS + "elementValue",
}
_OWN = {BF + "hasInstance", BF + "itemOf", BFLC + "applicableInstance"}


def _is_described(graph: _Graph, node: Any) -> bool:
    if not _has_type(graph, node, "Instance"):
        return False
    if any(predicate not in _OWN for subject, predicate in graph.into.get(node, []) if subject != node):
        return False
    return any(predicate in (BF + "title", BF + "instanceOf") for predicate, _ in graph.of[node])


class _Instance:
    """One Instance on its way to a record."""

    def __init__(self, graph: _Graph, node: Any) -> None:
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

    # -- what the fields are made of --

    def _admin(self) -> None:
        graph, parts = self.graph, dict[str, list[Text]]()
        for node in graph.objects(self.node, "adminMetadata"):
            graph.types(node)
            statuses = [graph.code(each) or _local(each) for each in graph.objects(node, "status")]
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
                        self.admin.setdefault("org", _organization(graph.code(assigner)))
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
                    text = (
                        _organization(value) if code in "acd" and value else value or (label[0].text if label else "")
                    )
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

    def _identifiers(self) -> None:
        graph = self.graph
        for node in self.both:
            for each in graph.objects(node, "identifiedBy"):
                name = next(
                    (name for name in IDENTIFIERS if name in graph.types(each) and name != "Identifier"), "Identifier"
                )
                tag, ind1, before, scheme = IDENTIFIERS[name]
                values = graph.texts(each, RDF + "value", RDFS + "label")
                states = {graph.code(status) or _local(status) for status in graph.objects(each, "status")}
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
        ids = _authority(agent)
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

    def _keys(self, node: Any) -> list[Field]:
        """MARC keys of a resource (bflc:marcKey): the Latin one first. Of another script the tag is the script's code in $6."""
        graph = self.graph
        plain: list[Field] = []
        other: list[Field] = []
        for predicate, value in list(graph.of.get(node, [])):
            if predicate.startswith(BFLC) and predicate.lower().endswith("marckey") and _is_literal(value):
                graph.used.add((node, predicate, value))
                if parsed := _parse_key(str(value)):
                    script = _script(getattr(value, "language", None))
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
                variant = variant or next((name for name in sorted(kinds) if name in _VARIANT_KINDS), "")
                if "KeyTitle" in kinds or "AbbreviatedTitle" in kinds:
                    tag = "222" if "KeyTitle" in kinds else "210"
                    ind = (" " + skip[-1:]) if tag == "222" else "0 "
                    self.add(tag, ind, [parts[0], ("b", graph.texts(each, "qualifier"))])
                elif kinds & {"VariantTitle", "ParallelTitle", "CollectiveTitle"} or variant:
                    tag = {"translated": "242", "tra": "242", "former": "247", "for": "247"}.get(variant, "246")
                    ind2 = "1" if "ParallelTitle" in kinds else _VARIANT_KINDS.get(variant, " ")
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
                "240" if self.primary else "130", "10" if self.primary else "0 ", [*subfields, *_authority(hub, "1")]
            )

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

    def _named(self, agent: Any) -> list[Text]:
        self.graph.types(agent)
        return self.graph.label(agent)

    def _physical(self) -> None:
        graph = self.graph
        extents = [
            (
                graph.types(each) and graph.label(each),
                [text for one in graph.objects(each, "note") for text in graph.said(one)],
            )
            for each in graph.objects(self.node, "extent")
            if not _is_literal(each)
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
                self.add(tag, "  ", [("a", label), ("b", [Text(code)] if code else []), ("2", [Text(_RDA[tag])])])
        for name, table, tag in (("soundCharacteristic", SOUND, "344"), ("digitalCharacteristic", DIGITAL, "347")):
            for each in graph.objects(self.node, name):
                code = next((table[kind] for kind in table if kind in graph.types(each)), "a")
                self.add(tag, "  ", [(code, graph.said(each))])
        for node in [self.node, *self.items]:
            for each in graph.objects(node, "electronicLocator"):
                address = (
                    [Text(_address(each))]
                    if _address(each)
                    else list(graph.texts(each, RDF + "value") or graph.said(each))
                )
                notes = (
                    []
                    if _is_literal(each)
                    else [text for one in graph.objects(each, "note") for text in graph.said(one)]
                )
                self.add("856", "4 ", [("u", address), ("z", notes)])

    def _languages(self) -> None:
        graph = self.graph
        codes: dict[str, list[Text]] = {}
        for work in self.works:
            for each in graph.objects(work, "language"):
                part = next((one.text for one in graph.texts(each, "part")), "") if not _is_literal(each) else ""
                inner = graph.objects(each, RDF + "value") if not _is_literal(each) else []
                label = graph.said(each)
                code = next((graph.code(one) or _local(one) for one in inner), "") or graph.code(each)
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
                if not _is_literal(each):
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
                code = graph.code(each) if "/geographicAreas/" in _address(each) else ""
                label = graph.said(each)
                self.add("043" if code else "522", "  ", [("a", [Text(code.ljust(7, "-"))] if code else label)])
            for each in graph.objects(node, "cartographicAttributes"):
                graph.types(each)
                projection = [text for one in graph.objects(each, "projection") for text in graph.said(one)]
                self.add("255", "  ", [("b", projection), ("c", graph.texts(each, "coordinates"))])
            for each in graph.objects(node, "genreForm"):
                self._subject(each, genre=True)

    def _subjects(self) -> None:
        for work in self.works:
            for each in self.graph.objects(work, "subject"):
                self._subject(each)

    def _subject(self, node: Any, *, genre: bool = False) -> None:
        graph = self.graph
        if _is_literal(node):
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
            self.add(tag, ind1 + ind2, [*parts, *_authority(node), *behind])
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
        self.add(tag, ind1 + ind2, [*parts, *_authority(node), ("2", [Text(scheme)] if ind2 == "7" else [])])

    def _scheme(self, node: Any) -> str:
        graph = self.graph
        for each in graph.objects(node, "source", MADS + "isMemberOfMADSScheme"):
            label = [] if _is_literal(each) else graph.said(each)
            code = str(each) if _is_literal(each) else graph.code(each)
            if code or label:
                return code or label[0].text
        address = _address(node)
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
                    graph.code(one) or _local(one) for one in graph.objects(relation, "relationship", BFLC + "relation")
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
        if _is_literal(node):
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
        if _is_literal(node):
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
            self.add(entry, indicators, [*parts, *_authority(node, "1")])
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

    def _items(self) -> None:
        graph = self.graph
        for item in self.items:
            graph.types(item), graph.objects(item, "itemOf")
            held = []
            for one in graph.objects(item, "heldBy"):
                label, code = graph.said(one), _organization(graph.code(one))
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
        number = self.admin.get("number") or _local(_address(self.node)) or ""
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
                if (node, predicate, value) not in graph.used and predicate not in {RDF + "type", *_MACHINE}:
                    name = next((str(v) for p, v in graph.of[node] if p == RDF + "type"), "")
                    left[f"{_short(name)} {_short(predicate)}".strip()] += 1
                other = _has_type(graph, value, "Instance") or _has_type(graph, value, "Work")
                if value in graph.of and value not in seen and not (other and value not in roots):
                    seen.add(value)
                    waiting.append(value)
        return sorted(left.items())


def _short(address: str) -> str:
    for namespace, prefix in _PREFIXES.items():
        if address.startswith(namespace):
            return prefix + address[len(namespace) :]
    return address


def _folded(text: str) -> str:
    return re.sub(r"\W+", " ", text.lower()).strip()


def _bare(text: Text) -> Text:
    return Text(text.text.removeprefix("(").removesuffix(")"), text.script)


def _organization(code: str) -> str:
    """MARC organization code as it is written: id.loc.gov has it in small letters."""
    return {"dlc": "DLC"}.get(code, code)


def _relator(role: Any) -> str:
    address = _address(role)
    return _local(address) if "/vocabulary/relators/" in address else ""


def _authority(node: Any, code: str = "0") -> list[tuple[str, list[Text]]]:
    address = _address(node)
    if "/rwo/" in address or "/resources/" in address:
        code = "1"
    if not address.startswith(("http://id.", "https://id.")):
        return []
    return [(code, [Text(address)])]


def _note_kind(graph: _Graph, node: Any) -> str:
    if _is_literal(node):
        return ""
    kinds = graph.types(node)
    said = [str(value) for predicate, value in graph.of.get(node, []) if predicate == BF + "noteType"]
    return next((name for name in [*sorted(kinds), *said] if name in NOTES), "")


def _subject_tag(tag: str, genre: bool) -> str:
    if genre:
        return "655"
    return {"148": "648", "150": "650", "151": "651", "155": "655"}.get(tag, "6" + tag[1:])


def _parse_key(text: str) -> Field | None:
    """'1001 $aGrant, Douglas,$d1883-1924.' as a field."""
    match = re.fullmatch(r"(\d{3})(.)(.)(\$.*)", text.strip("\r\n"), re.DOTALL)
    if match is None:
        return None
    subfields = [(part[0], _clean(part[1:])) for part in re.split(r"\$(?=[a-z0-9])", match[4])[1:] if _clean(part[1:])]
    return (
        Field(match[1], match[2] + match[3], [each for each in subfields if each[0] not in "6"]) if subfields else None
    )
