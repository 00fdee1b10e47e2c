"""Small MARC records for tests."""

from __future__ import annotations

import pymarc


def book(
    number: str = "1",
    title: str = "Bleak house",
    *,
    org: str = "XX-Test",
    date: str = "20260101000000.0",
    status: str = "n",
    fields: tuple[tuple[str, str, str], ...] = (),
    ind1: str = " ",
) -> bytes:
    """A book in UTF-8; `fields` are (tag, code, value)."""
    record = pymarc.Record(force_utf8=True)
    record.leader = pymarc.Leader(f"00000{status}am a2200000 i 4500")
    record.add_field(pymarc.Field("001", data=number))
    if org:
        record.add_field(pymarc.Field("003", data=org))
    record.add_field(pymarc.Field("005", data=date))
    record.add_field(pymarc.Field("008", data="260101s1853    enk           000 1 eng d"))
    record.add_field(
        pymarc.Field("245", indicators=pymarc.Indicators("1", "0"), subfields=[pymarc.Subfield("a", title)])
    )
    for tag, code, value in fields:
        indicators = pymarc.Indicators(ind1, " ")
        record.add_field(pymarc.Field(tag, indicators=indicators, subfields=[pymarc.Subfield(code, value)]))
    return bytes(record.as_marc())
