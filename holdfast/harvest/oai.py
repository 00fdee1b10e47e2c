"""What an OAI-PMH 2.0 repository answers (http://www.openarchives.org/OAI/openarchivesprotocol.html)."""

from __future__ import annotations

from typing import NamedTuple

from lxml import etree

from holdfast.harvest.answers import AnswerUnreadable, child, children, local, parse_answer, text_of


class OaiError(ValueError):
    """The repository answers with an error (section 3.6). code: as badResumptionToken."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{code}: {text}" if text else code)
        self.code = code


class OaiItem(NamedTuple):
    """A header, with its record's metadata container where there is one (ListRecords, not deleted)."""

    identifier: str
    datestamp: str
    deleted: bool
    metadata: etree._Element | None


class OaiPage(NamedTuple):
    """token: '' on the last page. size: completeListSize, where the repository says it."""

    items: list[OaiItem]
    token: str
    size: int | None


class Identified(NamedTuple):
    """name, granularity, earliestDatestamp, deletedRecord (no, transient or persistent)."""

    name: str
    granularity: str
    earliest: str
    deleted: str


ERRORS = frozenset(
    "badArgument badResumptionToken badVerb cannotDisseminateFormat idDoesNotExist noRecordsMatch noMetadataFormats "
    "noSetHierarchy".split()
)


def raise_unknown_error(data: bytes) -> None:
    """Raises OaiError for an error that is none of section 3.6's, and AnswerUnreadable for what is no XML."""
    root = parse_answer(data)
    for error in children(root, "error") if local(root) == "OAI-PMH" else []:
        if error.get("code", "") not in ERRORS:
            raise OaiError(error.get("code", ""), text_of(error))


def _payload(data: bytes, verb: str) -> etree._Element:
    root = parse_answer(data)
    if local(root) != "OAI-PMH":
        raise AnswerUnreadable(
            f"the root element is {local(root)}, not OAI-PMH: is the address that of the repository?"
        )
    for error in children(root, "error"):
        raise OaiError(error.get("code", ""), text_of(error))
    found = child(root, verb)
    if found is None:
        raise AnswerUnreadable(f"it has no element {verb}")
    return found


def parse_page(data: bytes, verb: str) -> OaiPage:
    """A page of ListRecords or ListIdentifiers.

    Raises:
        OaiError: the repository answers with an error; noRecordsMatch is one.
        AnswerUnreadable: not OAI-PMH, or cut, or a header without identifier.
    """
    payload = _payload(data, verb)
    items = []
    for number, each in enumerate(payload, 1):
        if local(each) not in ("record", "header"):
            continue
        header = each if local(each) == "header" else child(each, "header")
        identifier = text_of(child(header, "identifier")) if header is not None else ""
        if header is None or not identifier:
            raise AnswerUnreadable(f"item {number} has no identifier")
        deleted = header.get("status") == "deleted"
        metadata = None if deleted or header is each else child(each, "metadata")
        items.append(OaiItem(identifier, text_of(child(header, "datestamp")), deleted, metadata))
    token = child(payload, "resumptionToken")
    size = (token.get("completeListSize") or "") if token is not None else ""
    return OaiPage(items, text_of(token), int(size) if size.isdecimal() else None)


def parse_identify(data: bytes) -> Identified:
    """Raises OaiError or AnswerUnreadable, as `parse_page`."""
    payload = _payload(data, "Identify")

    def field(name: str) -> str:
        return text_of(child(payload, name))

    return Identified(
        field("repositoryName"),
        field("granularity") or "YYYY-MM-DD",
        field("earliestDatestamp"),
        field("deletedRecord"),
    )
