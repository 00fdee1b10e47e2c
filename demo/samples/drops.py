"""The MARC drops, with everything in them that happens to a library: updates, duplicates, deletions, damage."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pymarc import Field

from demo.samples.books import Book, book, books
from demo.samples.records import NEW, OLD, as_marc8, assembled, data_field, union_record, vendor_record

DELETED = book(12)
SUPERSEDED = book(31)
DUPLICATED = (book(7), book(45), book(88), book(150))
PRIVATE = book(20)
DAMAGED = {  # kind of damage: the book that it happens to; none of them is in the seed
    "lying length": book(14),
    "bad directory": book(50),
    "undeclared encoding": book(143),
    "truncated": book(124),
}


@dataclass(frozen=True)
class Drop:
    """A file and what is in it: `records` whole and readable ones, `damaged` the others, both in all."""

    name: str
    data: bytes
    records: int
    damaged: int


def ebooks() -> Drop:
    """Day 1 of the e-book vendor, UTF-8."""
    parts: list[bytes] = [_written(SUPERSEDED, OLD, more=(data_field("500", "  ", "a", "Earlier description."),))]
    records = 1
    damaged = set(DAMAGED.values())
    for entry in books():
        if not entry.in_ebooks or entry in damaged:
            continue
        parts.append(_of(entry))
        records += 1
        if entry in DUPLICATED:
            parts.append(_of(entry))
            records += 1
        for kind, spoil in SPOILERS.items():
            if DAMAGED[kind].number == entry.number + 1:
                parts.append(spoil(DAMAGED[kind]))
    parts.append(truncated(DAMAGED["truncated"]))
    return Drop("ebooks-day-1.mrc", b"".join(parts), records, len(DAMAGED))


def consortium() -> Drop:
    """The consortium's drop, MARC-8."""
    parts = [as_marc8(union_record(entry)) for entry in books() if entry.in_consortium]
    return Drop("consortium-day-1.mrc", b"".join(parts), len(parts), 0)


def _of(entry: Book) -> bytes:
    if entry == DELETED:
        return _written(entry, NEW, status="d")
    return _written(entry, NEW, more=private_notes() if entry == PRIVATE else ())


def private_notes() -> tuple[Field, ...]:
    """What must not leave the building: a price, a note on an action that is not public, a note for staff."""
    return (
        data_field("541", "0 ", "a", "Harcastle & Sons", "c", "Purchase", "h", "$1,250.00"),
        data_field("583", "0 ", "a", "condition reviewed", "x", "Returned damp by a reader, card 21234000987654"),
        data_field("852", "  ", "a", "XX-HfDemo", "b", "MAIN", "x", "Kept at the desk for Mrs. Ellen Ward"),
    )


def _written(entry: Book, changed: str, status: str = "n", more: tuple[Field, ...] = ()) -> bytes:
    data: bytes = vendor_record(entry, changed, status, more).as_marc()
    return data


def lying_length(entry: Book) -> bytes:
    """The leader says 40 bytes more than there are: who believes it swallows a part of the next record."""
    data = _written(entry, NEW)
    return f"{len(data) + 40:05d}".encode() + data[5:]


def bad_directory(entry: Book) -> bytes:
    """In the second entry of the directory there are letters where the length and the start of a field should be."""
    data = _written(entry, NEW)
    return data[: 24 + 12 + 3] + b"XXXX?????" + data[24 + 12 + 12 :]


def undeclared_encoding(entry: Book) -> bytes:
    """Latin-1 under a leader that says UTF-8, with lengths that fit the bytes."""
    record = vendor_record(entry)
    data: bytes = assembled(record.fields, encoding=" ").as_marc()
    return data[:9] + b"a" + data[10:]


def truncated(entry: Book) -> bytes:
    """The last record of a file whose transfer broke off."""
    data = _written(entry, NEW)
    return data[: len(data) * 2 // 3]


SPOILERS: dict[str, Callable[[Book], bytes]] = {
    "lying length": lying_length,
    "bad directory": bad_directory,
    "undeclared encoding": undeclared_encoding,
}
