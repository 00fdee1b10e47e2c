"""An answer of a repository, parsed strictly: an answer that is cut is an error, never a shorter answer.

Client libraries recover from XML that is not well formed, and so lose the records behind the fault without a word; they also
drop text that is blank, which in MARC has a meaning (an indicator, a control field). Hence this parser.
"""

from __future__ import annotations

from lxml import etree


class AnswerUnreadable(ValueError):
    """The answer is not the XML that it has to be; says line and column."""


def parse_answer(data: bytes) -> etree._Element:
    """The root element. No DTD is taken, no entity is resolved, nothing is fetched.

    Raises:
        AnswerUnreadable: not well formed (as a cut one is), or with a DOCTYPE.
    """
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=False, recover=False
    )
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        line, column = error.position
        raise AnswerUnreadable(
            f"not well formed at line {line} column {column} of {len(data):,} bytes: {error.msg}"
        ) from error
    # A DOCTYPE is a sibling of the root that lxml does not show as one.
    if root.getroottree().docinfo.internalDTD is not None:
        raise AnswerUnreadable("it has a DOCTYPE; entities are refused")
    return root


def local(element: etree._Element) -> str:
    """Name without namespace; '' of comments and processing instructions."""
    return etree.QName(element).localname if isinstance(element.tag, str) else ""


def children(element: etree._Element, name: str) -> list[etree._Element]:
    """Child elements of that name, in whatever namespace: repositories without one are many."""
    return [each for each in element if local(each) == name]


def child(element: etree._Element, name: str) -> etree._Element | None:
    return next((each for each in element if local(each) == name), None)


def text_of(element: etree._Element | None) -> str:
    return "".join(str(part) for part in element.itertext()).strip() if element is not None else ""
