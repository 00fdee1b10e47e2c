"""An element says the same in every library system."""

from __future__ import annotations

from typing import Any

import pytest

from holdfast.feeds.elements import ELEMENTS, FeedKind
from resources.ils.elements import (
    FOLIO,
    KOHA,
    NoNumberError,
    NotInThisSystem,
    UnknownReference,
    check_elements,
    elements_of,
    written,
)


class Lists:
    def ids(self, name: str) -> dict[str, str]:
        return {"staff": f"{name}-1", "STAFF": f"{name}-1", "guest": f"{name}-2"}

    def names(self, name: str) -> dict[str, str]:
        return {f"{name}-1": "staff", f"{name}-2": "guest"}


lists = Lists()


def put(body: dict[str, Any], pointer: str, value: Any) -> None:
    *way, last = pointer.split("/")[1:]
    for part in way:
        body = body.setdefault(part, {})
    body[last] = value


VALUES = {"date": "2026-12-31", "flag": "true"}


@pytest.mark.parametrize("tables", [FOLIO, KOHA])
@pytest.mark.parametrize("kind", ["patrons", "items", "holdings"])
def test_what_is_written_is_what_is_read(tables: Any, kind: FeedKind) -> None:
    for element, at in tables[kind].items():
        shape = ELEMENTS[kind][element].shape
        value = "staff" if at.reference else "12" if at.form == "number" else VALUES.get(shape, "some text")
        pointer, there = written(element, value, tables[kind], lists)
        body: dict[str, Any] = {}
        put(body, pointer, there)
        assert elements_of(body, tables[kind], lists) == {element: value}, element


def test_what_a_system_does_not_have_is_said_with_what_it_has() -> None:
    with pytest.raises(NotInThisSystem, match=r"loan_type: Koha has no place for it in items \(it has: barcode"):
        check_elements("items", ["barcode", "loan_type"], KOHA["items"], "Koha")
    with pytest.raises(UnknownReference, match="it has: STAFF, guest, staff"):
        written("group", "emeritus", FOLIO["patrons"], lists)


@pytest.mark.parametrize("value", ["nan", "inf", "1_000", "1e400", "12,50", "\u0663", "", " 1"])
def test_what_is_no_number_is_refused_without_the_value(value: str) -> None:
    with pytest.raises(NoNumberError, match=r"^price: must be a number$"):
        written("price", value, KOHA["items"], lists)
    assert [written("price", each, KOHA["items"], lists)[1] for each in ("12", "12.50", "-3")] == [12, 12.5, -3]
