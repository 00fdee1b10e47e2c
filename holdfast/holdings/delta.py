"""What differs between two states of holdings records and items: added, changed with before and after, removed."""

from __future__ import annotations

from typing import Any

import orjson
import polars as pl

from holdfast.catalogue.entity_patch import diff

DELTAS = pl.Schema(
    {
        "kind": pl.String,
        "id": pl.String,
        "change": pl.String,  # 'added', 'changed' or 'removed'
        "pointer": pl.String,  # RFC 6901, of what changed; '' where the whole record came or went
        "before": pl.String,  # JSON, masked; '' for nothing
        "after": pl.String,
        "version": pl.Int64,  # that the record has now; of a removed one the last that was seen
        "updated": pl.String,
    }
)
_KEY = ["kind", "id"]
# The system's own book-keeping about the change, not the change.
_UNTOLD = ("/metadata", "/_version")


def holdings_delta(before: pl.DataFrame, after: pl.DataFrame, *, whole: bool) -> pl.DataFrame:
    """Changes (shape DELTAS) from `before` to `after`, both with the columns kind, id, version, updated, body_sha256, body.

    whole: `after` is all that there is, and what is only in `before` is gone. Else nothing is removed. A record of an older
    version than the one before is no change.
    """
    both = after.join(before, on=_KEY, how="inner", suffix="_before")
    newer = (pl.col("version") > pl.col("version_before")) | (
        (pl.col("version") == pl.col("version_before")) & (pl.col("updated") >= pl.col("updated_before"))
    )
    changed = both.filter((pl.col("body_sha256") != pl.col("body_sha256_before")) & newer)
    rows: list[tuple[Any, ...]] = []
    for each in changed.select(*_KEY, "body_before", "body", "version", "updated").iter_rows(named=True):
        for pointer, (old, new) in diff(orjson.loads(each["body_before"]), orjson.loads(each["body"])).items():
            if not pointer.startswith(_UNTOLD):
                rows.append((each["kind"], each["id"], "changed", pointer, _json(old), _json(new), each["version"], each["updated"]))  # fmt: skip
    parts = [pl.DataFrame(rows, schema=DELTAS, orient="row"), _whole_records(after, before, "added")]
    if whole:
        parts.append(_whole_records(before, after, "removed"))
    return pl.concat(parts).sort(*_KEY, "pointer")


def _whole_records(of: pl.DataFrame, other: pl.DataFrame, change: str) -> pl.DataFrame:
    only = of.join(other.select(_KEY), on=_KEY, how="anti")
    body, nothing = pl.col("body"), pl.lit("")
    return only.select(
        *_KEY,
        pl.lit(change).alias("change"),
        nothing.alias("pointer"),
        (nothing if change == "added" else body).alias("before"),
        (body if change == "added" else nothing).alias("after"),
        "version",
        "updated",
    ).cast(DELTAS)


def _json(value: Any) -> str:
    return "" if value is None else orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
