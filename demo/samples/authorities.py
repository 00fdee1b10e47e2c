"""The library's own authority file: headings of the sample books, and what happens to headings in the course of the years.

Of its subjects and names one in ten is missing (nobody established it), one in fifteen was changed: the book still has the
old form, from which the record refers.
"""

from __future__ import annotations

from pymarc import Field, Indicators, Leader, Record, Subfield

from demo.samples.books import books
from demo.samples.records import described

CHANGED = "20260201080000.0"


def authorities() -> bytes:
    """ISO 2709, UTF-8: a record a heading, names before subjects."""
    found: dict[tuple[str, tuple[tuple[str, str], ...]], Field] = {}
    for book in books():
        for field in described(book, electronic=True):
            if field.tag in ("100", "650"):
                heading = _heading(field)
                found.setdefault((field.tag, tuple((each.code, each.value) for each in heading)), field)
    records = []
    for number, ((tag, values), field) in enumerate(sorted(found.items(), key=lambda each: each[0]), 1):
        if number % 10 == 3:
            continue
        records.append(_record(number, tag, values, field.indicators or Indicators(" ", " "), number % 15 == 7))
    return b"".join(bytes(each.as_marc()) for each in records)


def _heading(field: Field) -> list[Subfield]:
    kept = [each for each in field.subfields if each.code != "6"]
    last = kept[-1].value
    return [*kept[:-1], Subfield(kept[-1].code, last.removesuffix(".") if not last.endswith(" c.") else last)]


def _record(
    number: int, tag: str, values: tuple[tuple[str, str], ...], indicators: Indicators, changed: bool
) -> Record:
    record = Record(force_utf8=True)
    record.leader = Leader("00000nz  a2200000n  4500")
    record.add_field(Field("001", data=f"aut{number:06d}"), Field("003", data="XX-HfDemo"), Field("005", data=CHANGED))
    name = tag == "100"
    record.add_field(Field("008", data=f"260201 | anann{'a' if name else 'b'}abn          |a ana     d"))
    old = [Subfield(code, value) for code, value in values]
    new = [Subfield(old[0].code, f"{old[0].value.rstrip(', ')} ({'Writer' if name else 'Topic'})"), *old[1:]]
    first = indicators[0] if name else " "
    record.add_field(Field("100" if name else "150", Indicators(first, " "), new if changed else old))
    if changed:
        record.add_field(Field("400" if name else "450", Indicators(first, " "), old))
    return record
