"""Records of a window that came in an earlier drop of it already, to the byte: a corrected file repeats nearly all of the one before.

All of a window is harvested by one run, with one masking: within it the same bytes are the same subfields, and have the same issues.
Bytes of XML are read as their file's declaration says; that two files read them alike is told by the hash of the compared fields.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

# An earlier drop in another order would be read through once a part: validating is quicker then.
_PARTS_READ = 4
_KNOWN = pl.Schema({"record": pl.UInt32, "content": pl.Binary})
_FOUND = pl.Schema({"record": pl.UInt32, "earlier": pl.UInt32})
_CONTENT = pl.concat_str("content_sha256", pl.col("comparable_sha256").fill_null("")).str.decode("hex").alias("content")


class Recurring:
    """The parts of a window in their order. Memory: 84 bytes a record of drops that others follow with something new."""

    def __init__(self, records_parts: list[Path]) -> None:
        self._parts = records_parts
        self._issues: list[tuple[Path, int, int]] = []  # file, first and last record of the parts that are done
        self._known = pl.DataFrame(schema=_KNOWN)
        self._read = 0
        self._begins = 0  # the part with which the present drop began
        self._file = ""

    def enter(self, number: int, records: pl.DataFrame) -> None:
        """The part `number` (columns record, file) is next."""
        files = records["file"]
        if len(files) and files[0] != self._file:
            self._begins = number
        if len(files):
            self._file = files[-1]

    def earlier(self, records: pl.DataFrame) -> pl.DataFrame:
        """record, earlier: those that an earlier drop had, with their numbers in it. `records`: columns record, content_sha256,
        comparable_sha256."""
        if self._read < self._begins:
            self._known = pl.concat(
                [self._known, *(_contents(each) for each in self._parts[self._read : self._begins])]
            )
            self._known = self._known.unique("content", keep="first", maintain_order=True)
            self._read = self._begins
        if not self._known.height:
            return pl.DataFrame(schema=_FOUND)
        own = records.select("record", _CONTENT)
        found = own.join(self._known, on="content", how="inner", suffix="_earlier", maintain_order="left")
        found = found.select("record", pl.col("record_earlier").alias("earlier"))
        return found if len(self._paths(found["earlier"])) <= _PARTS_READ else pl.DataFrame(schema=_FOUND)

    def issues(self, found: pl.DataFrame) -> pl.DataFrame:
        """The issues of the earlier records, as issues of those that are the same. `found`: as `earlier` gives it."""
        frames = [pl.read_parquet(path) for path in self._paths(found["earlier"])]
        issues = pl.concat(frames).rename({"record": "earlier"})
        again = issues.join(found, on="earlier", how="inner", maintain_order="left")
        return again.select("record", *(name for name in issues.columns if name != "earlier"))

    def done(self, issues: Path, records: pl.DataFrame) -> None:
        """A part's issues are in this file."""
        if records.height:
            self._issues.append((issues, int(records["record"][0]), int(records["record"][-1])))

    def _paths(self, records: pl.Series) -> list[Path]:
        return [path for path, low, high in self._issues if records.is_between(low, high).any()]


def _contents(path: Path) -> pl.DataFrame:
    columns = ["record", "content_sha256", "comparable_sha256"]
    return pl.read_parquet(path, columns=columns).select("record", _CONTENT).cast(_KNOWN)
