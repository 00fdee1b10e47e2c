"""What is in a file of MARC, in figures: added up part by part, so that memory does not depend on the file's size.

Only control numbers are remembered, to find those that come twice: 12 bytes a record.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from holdfast.marc.faults import FAULTS
from holdfast.marc.nfc import with_nfc
from holdfast.marc.normalize import normalize
from holdfast.marc.parts import Part

_PLACES = 3  # of each fault, and of duplicates
_DUPLICATES = 10
_IDENTIFIERS = ("isbn", "issn", "ocn", "lccn")


class Figures(NamedTuple):
    """Of one part. tags: tag, fields, records. lengths: length, count. years: year, count. numbers: record, text and hash of the
    control numbers. The rest are counts by value."""

    file: str
    before: int
    records: pl.DataFrame
    formats: Counter[str]
    encodings: Counter[tuple[str, str, str]]
    counts: dict[str, Counter[str]]
    identifiers: dict[str, tuple[int, int]]
    tags: pl.DataFrame
    lengths: pl.DataFrame
    years: pl.DataFrame
    numbers: pl.DataFrame
    subfields: int
    bytes: int


def figures_of(part: Part, file: str, before: int) -> Figures:
    """Figures of a part; `before`: how many records came in other files before this one. Can be called on many threads."""
    records = part.records
    index = records.with_columns(file=pl.lit(file), masked_values=pl.lit(0, pl.UInt32))
    facts = normalize(index, with_nfc(part.subfields), source="", window="")
    rows = part.subfields.select("record", "field", "tag")
    first = (pl.col("record") != pl.col("record").shift()) | (pl.col("field") != pl.col("field").shift())
    fields = rows.filter(first.fill_null(True))
    tags = fields.group_by("tag").agg(pl.len().alias("fields"), pl.col("record").n_unique().alias("records"))
    readable = records.filter(pl.col("fault").is_null())
    numbers = facts.filter(pl.col("control_number").str.len_chars() > 0).select(
        "record",
        text=pl.when(pl.col("control_number_org").str.len_chars() > 0)
        .then(pl.concat_str(pl.lit("("), "control_number_org", pl.lit(")"), "control_number"))
        .otherwise("control_number"),
    )
    return Figures(
        file=file,
        before=before,
        records=records.select("record", "fault", "fault_byte", "fault_detail"),
        formats=Counter({part.format: records.height}),
        encodings=Counter(
            {
                (claims, found, encoding or ""): count
                for claims, found, encoding, count in records.group_by("claims", "found", "encoding").len().iter_rows()
            }
        ),
        counts={
            "material_types": _counted(facts["material_type"]),
            "languages": _counted(facts["language"]),
            "statuses": _counted(facts["status"]),
        },
        identifiers={
            name: (int((facts[name].list.len() > 0).sum()), int(facts[name].list.len().sum() or 0))
            for name in _IDENTIFIERS
        },
        tags=tags,
        lengths=readable.group_by("length").len("count"),
        years=facts.group_by("year").len("count"),
        numbers=numbers.with_columns(hash=pl.col("text").hash(seed=0)),
        subfields=part.subfields.height,
        bytes=int(records["length"].cast(pl.UInt64).sum()),
    )


def _counted(values: pl.Series) -> Counter[str]:
    return Counter({("" if value is None else str(value)): count for value, count in values.value_counts().iter_rows()})


class _Seen:
    """Hashes of control numbers and the records that had them first, in sorted runs of which each is twice the next."""

    def __init__(self) -> None:
        self._runs: list[tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint32]]] = []

    def add(self, hashes: npt.NDArray[np.uint64], records: npt.NDArray[np.uint32]) -> npt.NDArray[np.int64]:
        """For each hash the record that had it first, -1 where none had."""
        unique, first, inverse = np.unique(hashes, return_index=True, return_inverse=True)
        owner = np.full(len(unique), -1, dtype=np.int64)
        for run, owners in self._runs:
            place = np.minimum(np.searchsorted(run, unique), len(run) - 1)
            known = run[place] == unique
            owner[known] = owners[place[known]]
        new = owner < 0
        if new.any():
            self._push(unique[new], records[first[new]])
        own = owner[inverse]
        # In the part itself: all but the first of equal ones.
        again = (own < 0) & (np.arange(len(hashes)) != first[inverse])
        own[again] = records[first[inverse[again]]]
        return own

    def _push(self, hashes: npt.NDArray[np.uint64], records: npt.NDArray[np.uint32]) -> None:
        self._runs.append((hashes, records))
        while len(self._runs) > 1 and len(self._runs[-2][0]) < 2 * len(self._runs[-1][0]):
            both = [np.concatenate(pair) for pair in zip(*self._runs[-2:], strict=True)]
            order = np.argsort(both[0], kind="stable")
            self._runs[-2:] = [(both[0][order], both[1][order])]


class Summary:
    """Figures added up in the order of the parts."""

    def __init__(self) -> None:
        self.records = self.readable = self.subfields = self.bytes = 0
        self.files: list[dict[str, Any]] = []
        self._faults: dict[str, dict[str, Any]] = {}
        self._formats: Counter[str] = Counter()
        self._encodings: Counter[tuple[str, str, str]] = Counter()
        self._counts: dict[str, Counter[str]] = {
            name: Counter() for name in ("material_types", "languages", "statuses")
        }
        self._identifiers = {name: [0, 0] for name in _IDENTIFIERS}
        self._tags: Counter[str] = Counter()
        self._records_of_tags: Counter[str] = Counter()
        self._lengths: Counter[int] = Counter()
        self._years: Counter[int | None] = Counter()
        self._seen = _Seen()
        self._numbered = 0
        self._duplicates = 0
        self._first_duplicates: list[dict[str, Any]] = []
        self._starts: list[tuple[int, str, int]] = []

    def add(self, part: Figures) -> None:
        count, readable = part.records.height, int(part.records["fault"].null_count())
        self.records += count
        self.readable += readable
        self.subfields += part.subfields
        self.bytes += part.bytes
        if not self.files or self.files[-1]["file"] != part.file or self._starts[-1][2] != part.before:
            self.files.append({"file": part.file, "format": next(iter(part.formats), ""), "records": 0, "faults": 0})
            self._starts.append((int(part.records["record"][0]) if count else self.records, part.file, part.before))
        self.files[-1]["records"] += count
        self.files[-1]["faults"] += count - readable
        self._add_faults(part)
        self._formats.update(part.formats)
        self._encodings.update(part.encodings)
        for name, counts in part.counts.items():
            self._counts[name].update(counts)
        for name, both in part.identifiers.items():
            self._identifiers[name] = [a + b for a, b in zip(self._identifiers[name], both, strict=True)]
        for tag, fields, records in part.tags.iter_rows():
            self._tags[tag] += fields
            self._records_of_tags[tag] += records
        self._lengths.update(dict(part.lengths.iter_rows()))
        self._years.update(dict(part.years.iter_rows()))
        self._add_numbers(part.numbers)

    def _add_faults(self, part: Figures) -> None:
        for row in part.records.filter(pl.col("fault").is_not_null()).iter_rows(named=True):
            own = self._faults.setdefault(
                row["fault"], {"code": row["fault"], "records": 0, "hint": FAULTS[row["fault"]].hint, "first": []}
            )
            own["records"] += 1
            if len(own["first"]) < _PLACES:
                place = {"file": part.file, "record": row["record"] - part.before, "byte": row["fault_byte"]}
                own["first"].append(place | {"detail": row["fault_detail"]})

    def _add_numbers(self, numbers: pl.DataFrame) -> None:
        if not numbers.height:
            return
        first = self._seen.add(numbers["hash"].to_numpy(), numbers["record"].to_numpy())
        self._numbered += numbers.height
        again = np.flatnonzero(first >= 0)
        self._duplicates += len(again)
        for row in again[: max(0, _DUPLICATES - len(self._first_duplicates))].tolist():
            self._first_duplicates.append(
                {
                    "control_number": numbers["text"][row],
                    "first": self._place(int(first[row])),
                    "again": self._place(int(numbers["record"][row])),
                }
            )

    def _place(self, record: int) -> dict[str, Any]:
        _, file, before = max(each for each in self._starts if each[0] <= record)
        return {"file": file, "record": record - before}

    def as_dict(self) -> dict[str, Any]:
        """All figures, as plain values in the order that they are shown in."""
        lengths = sorted(self._lengths.items())
        years = sorted((year, count) for year, count in self._years.items() if year is not None)
        return {
            "records": self.records,
            "readable": self.readable,
            "unreadable": self.records - self.readable,
            "subfields": self.subfields,
            "bytes": self.bytes,
            "files": self.files,
            "faults": sorted(self._faults.values(), key=lambda each: -each["records"]),
            "formats": dict(self._formats.most_common()),
            "encodings": [
                {"claims": claims, "found": found, "decoded_as": decoded or None, "records": count}
                for (claims, found, decoded), count in self._encodings.most_common()
            ],
            **{name: _by_count(counts) for name, counts in self._counts.items()},
            "years": {
                "first": years[0][0] if years else None,
                "median": _median(years),
                "last": years[-1][0] if years else None,
                "records_without": self._years.get(None, 0),
            },
            "lengths": {
                "min": lengths[0][0] if lengths else None,
                "median": _median(lengths),
                "max": lengths[-1][0] if lengths else None,
            },
            "identifiers": {
                name: {"records": records, "values": values} for name, (records, values) in self._identifiers.items()
            },
            "control_numbers": {
                "records": self._numbered,
                "missing": self.readable - self._numbered,
                "duplicates": self._duplicates,
                "first_duplicates": self._first_duplicates,
            },
            "fields": [
                {
                    "tag": tag,
                    "fields": self._tags[tag],
                    "records": self._records_of_tags[tag],
                    "share": round(self._records_of_tags[tag] / self.readable, 4) if self.readable else 0.0,
                }
                for tag in sorted(self._tags)
            ],
        }


def _by_count(counts: Counter[str]) -> dict[str, int]:
    """'' stands for records that say nothing."""
    return dict(sorted(counts.items(), key=lambda each: (-each[1], each[0])))


def _median(counts: list[tuple[int, int]]) -> int | None:
    """The lower one of two, of values in order with how often each is."""
    middle = (sum(count for _, count in counts) + 1) // 2
    for value, count in counts:
        middle -= count
        if middle <= 0:
            return value
    return None
