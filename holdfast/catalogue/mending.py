"""Mends that a person orders: of how a record was matched, and of the bytes of one that can't be read."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from typing import NamedTuple

import polars as pl

from holdfast import marc
from holdfast.marc.encoding import ENCODINGS, MARC21, Reading

# Evidence of a new record that a person told apart from what it collides with.
ACCEPTED = "accepted as new"


class MendError(ValueError):
    """The mend does not fit; the text says what would."""


class Ordered(NamedTuple):
    """mend: 'accept', 'accept_as_new' or 'choose_target'. value: the target. said: by whom and why."""

    mend: str
    value: str
    said: str


def mend_matches(rows: pl.DataFrame, mends: Mapping[str, Ordered], live: set[str]) -> pl.DataFrame:
    """Rows of the shape matching.MATCHED with what was ordered for their correlation ids.

    A target that is not `live` any more mends nothing: the record stays what it was, and its detail says so.
    """
    if not mends:
        return rows
    made = []
    for row in rows.filter(pl.col("correlation_id").is_in(list(mends))).iter_rows(named=True):
        mend, value, said = mends[row["correlation_id"]]
        if row["verdict"] not in ("collision", "duplicate"):
            continue
        if mend == "accept_as_new":
            row |= {
                "verdict": "new",
                "target": None,
                "matched_by": "",
                "evidence": ACCEPTED,
                "detail": f"accepted as new {said}",
            }
        elif mend == "choose_target" and value in live:
            row |= {
                "verdict": "update",
                "target": value,
                "matched_by": "",
                "evidence": "chosen",
                "detail": f"target chosen {said}",
            }
        elif mend == "choose_target":
            row["detail"] = f"{row['detail']}; the target that was chosen, {value}, is not in the catalogue"
        made.append(row)
    mended = pl.DataFrame(made, schema=rows.schema, orient="row")
    return pl.concat([rows.join(mended.select("record"), on="record", how="anti"), mended]).sort("record")


def mend_bytes(data: bytes, mend: str, value: str) -> bytes:
    """A record in ISO 2709 with its mend; 'set_leader_byte' ('9=a': position and character) or 'read_as' (one of
    encoding.ENCODINGS: the result is UTF-8, made only by a conversion that can be undone).

    Raises:
        MendError: the value is none, or the record can't be read with it either.
    """
    if mend == "set_leader_byte":
        found = re.fullmatch(r"(\d{1,2})=([ -~])", value)
        if not found or int(found[1]) > 23:
            raise MendError(f"value: found {value!r}; a position of the leader and a character, as 9=a")
        at = int(found[1])
        data = data[:at] + found[2].encode() + data[at + 1 :]
        return _written(data, None)
    if mend == "read_as":
        if value not in ENCODINGS:
            raise MendError(f"value: found {value!r}; allowed: {', '.join(ENCODINGS)}")
        return _written(data, Reading((value,)))
    raise MendError(f"mend: found {mend!r}; of a record that can't be read: set_leader_byte or read_as")


def _written(data: bytes, reading: Reading | None) -> bytes:
    """The record, once it can be read; in UTF-8 where it was read by `reading`."""
    parts = list(marc.read(io.BytesIO(data), format="iso2709", reading=reading or MARC21))
    faults = [
        (row["fault"], row["fault_detail"])
        for part in parts
        for row in part.records.iter_rows(named=True)
        if row["fault"]
    ]
    if faults or not parts:
        raise MendError(
            f"with this mend it can't be read either: {faults[0][0]} {faults[0][1] or ''}".strip()
            if faults
            else "no record"
        )
    if reading is None:
        return data
    out = io.BytesIO()
    marc.write(iter(parts), out, format="iso2709", encoding="utf-8")
    return out.getvalue()
