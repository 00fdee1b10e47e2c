"""The books of the samples: `books.tsv`, a row a book, real bibliographic facts of (mostly) first editions."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

TABLE = Path(__file__).with_name("books.tsv")


@dataclass(frozen=True)
class Book:
    """One row. `language` is a MARC code, `subject` a heading with ` -- ` between its parts, empty where unknown."""

    number: int
    title: str
    author: str
    dates: str
    place: str
    publisher: str
    year: str
    language: str
    subject: str
    pages: str
    vernacular_title: str
    vernacular_author: str
    isbn: str

    @property
    def vendor_number(self) -> str:
        """Control number at the e-book vendor."""
        return f"ebk{self.number:06d}"

    @property
    def union_number(self) -> str:
        """Control number in the consortium's union catalogue."""
        return f"con{self.number:06d}"

    @property
    def in_ebooks(self) -> bool:
        return self.number <= 260 or self.number % 4 == 0

    @property
    def in_consortium(self) -> bool:
        return self.number > 200


@cache
def books() -> tuple[Book, ...]:
    with TABLE.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return tuple(Book(number=int(row.pop("number")), **row) for row in rows)


def book(number: int) -> Book:
    return books()[number - 1]
