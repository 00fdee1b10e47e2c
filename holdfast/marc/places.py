"""Ask the frames: a short language for places in a record, as a Polars filter and as a table.

A place is a tag, its indicators and its subfields:

    245         the whole field
    245$a       its subfield $a
    245$abnp    four of its subfields
    6XX$a       X is any character of a tag: 600, 650, 655 …
    6XX_0$a     first indicator blank, second 0; a blank is written _ or #, and ? or * is any
    245??$a     any indicators, as without them
    LDR, 001    the leader is not a row of the subfields and can't be asked for here; control fields can
    020$c,020$z one or the other

Tags are as catalogued: three characters. A code is any graphic character; `$` goes before the first one, and may stand before
each (`245$a$b`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from holdfast.marc.frames import RECORDS, SUBFIELDS, Frames

_PLACE = re.compile(r"(?P<tag>[0-9A-Za-z]{3})(?P<indicators>[^$]*)(?P<codes>(?:\$[^$]+)*)")


class QueryError(ValueError):
    """What is wrong in a query, and what would be right."""


@dataclass(frozen=True)
class Place:
    """One place, taken apart. indicators: two characters, '?' for any; codes: empty for all."""

    tag: str
    indicators: str = "??"
    codes: str = ""

    def field(self) -> pl.Expr:
        """Rows of a field of this tag and these indicators."""
        expression = (
            pl.col("tag").str.contains(f"^{self.tag.replace('X', '.')}$")
            if "X" in self.tag
            else pl.col("tag") == self.tag
        )
        for name, wanted in zip(("ind1", "ind2"), self.indicators, strict=True):
            if wanted != "?":
                expression &= pl.col(name) == wanted
        return expression

    def expression(self) -> pl.Expr:
        """Rows of its subfields."""
        if not self.codes:
            return self.field().fill_null(False)
        if len(self.codes) == 1:
            return (self.field() & (pl.col("code") == self.codes)).fill_null(False)
        return (self.field() & pl.col("code").is_in(list(self.codes))).fill_null(False)


def parse(text: str) -> list[Place]:
    """Places of a query.

    Raises:
        QueryError: it is not in the language; says where.
    """
    return [_place(each.strip(), text) for each in text.split(",")]


def _place(text: str, whole: str) -> Place:
    def wrong(what: str) -> QueryError:
        inside = "" if text == whole else f" in {whole!r}"
        return QueryError(f"{text!r}{inside}: {what}")

    if not text:
        raise wrong("an empty place; write a tag, as 245 or 6XX")
    if text.upper().startswith("LDR"):
        raise wrong("the leader is a column of the records, not a field: use frames.records['leader']")
    match = _PLACE.fullmatch(text)
    if match is None:
        raise wrong("not a tag of three characters with indicators and $codes behind it, as 245$a, 6XX_0$ax or 001")
    tag, indicators, codes = match["tag"], match["indicators"], match["codes"].replace("$", "")
    if indicators and len(indicators) != 2:
        raise wrong(f"{indicators!r} are not two indicators; a blank is written _ and any is ?, as 245_0$a")
    indicators = re.sub("[_#]", " ", indicators or "??").replace("*", "?")
    if not re.fullmatch("[0-9a-z ?]{2}", indicators):
        raise wrong(f"indicators {indicators!r}: each is a digit, a small letter, _ for a blank or ? for any")
    if not all("!" <= code <= "~" for code in codes):
        raise wrong("a subfield code is one graphic ASCII character")
    if tag.startswith("00") and (codes or indicators != "??"):
        raise wrong(f"{tag} is a control field: it has no indicators and no subfields")
    return Place(tag, indicators, codes)


def query(text: str) -> pl.Expr:
    """A filter for rows of the shape SUBFIELDS: `frames.subfields.filter(marc.query("245$a"))`.

    Raises:
        QueryError: the text is not in the language of this module.
    """
    first, *others = [place.expression() for place in parse(text)]
    for each in others:
        first = first | each
    return first


def fields(
    frame: Frames | pl.DataFrame | pl.LazyFrame, tag: str, codes: str = "", *, joined_by: str = " "
) -> pl.DataFrame:
    """A row a field, in order: record, field, tag, ind1, ind2, and a column for each code, or `value` for a control field.

    A code that is repeated in the field has its values joined; one that the field has not is null.

    Args:
        frame: Frames, or rows of the shape SUBFIELDS.
        tag: '245', '6XX', '6XX_0': a place without codes.
        codes: 'ab' is a column a and a column b; without them the field's text is in `value`, its subfields joined.
        joined_by: what stands between values that are joined.

    Raises:
        QueryError: tag or codes are not in the language of this module.
    """
    (place,) = parse(f"{tag}${codes}" if codes else tag)
    rows = (frame.subfields if isinstance(frame, Frames) else frame).lazy().filter(place.field().fill_null(False))
    columns = [
        pl.col("value").filter(pl.col("code") == code).str.join(joined_by).alias(code)
        for code in dict.fromkeys(place.codes)
    ] or [pl.col("value").str.join(joined_by)]
    # A join of nothing is empty text; what is not there is to be null.
    present = [pl.col("code").eq(code).any().alias(f"has {code}") for code in dict.fromkeys(place.codes)]
    grouped = rows.group_by("record", "field", maintain_order=True).agg(
        *(pl.col(name).first() for name in ("tag", "ind1", "ind2")), *columns, *present
    )
    kept = [pl.when(f"has {code}").then(code).alias(code) for code in dict.fromkeys(place.codes)]
    return (
        grouped.with_columns(kept)
        .select("record", "field", "tag", "ind1", "ind2", *(place.codes or ["value"]))
        .collect()
    )


def scan(folder: str | Path, name: str = "subfields") -> pl.LazyFrame:
    """The subfields (or the `records`) of a folder of Parquet files, lazily: what is not asked for is not read.

    The folder is one that `to_parquet` wrote.
    """
    return pl.scan_parquet(Path(folder) / f"{name}-*.parquet")


def to_parquet(frames: Iterator[Frames], folder: str | Path) -> tuple[int, int]:
    """Write frames as Parquet, a pair of files a block (`records-00001.parquet`, `subfields-00001.parquet` …).

    Returns (records, subfields) written. The folder is made; files of that name in it are replaced.
    """
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    counts = [0, 0]
    number = 0
    for number, block in enumerate(frames, 1):
        for n, (kind, table) in enumerate((("records", block.records), ("subfields", block.subfields))):
            table.write_parquet(place / f"{kind}-{number:05}.parquet")
            counts[n] += table.height
    if not number:
        pl.DataFrame(schema=RECORDS).write_parquet(place / "records-00001.parquet")
        pl.DataFrame(schema=SUBFIELDS).write_parquet(place / "subfields-00001.parquet")
    return counts[0], counts[1]
