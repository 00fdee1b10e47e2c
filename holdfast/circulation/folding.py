"""Events folded to the last state of each item.

The last of an item's events is the one of its latest loan; within a loan an end stands over what is not its end (a return
out of the book drop is dated before the renewal of that night, and ends the loan all the same), then the later one by when
it happened, by when it was written down, by its id. That is a total order, and the state is its greatest event: so in
whatever order, however often, and in how many windows events come, the state is the same.
"""

from __future__ import annotations

import polars as pl

from holdfast.circulation.events import EVENTS

_STATE: dict[str, pl.DataType | type[pl.DataType]] = {
    "item": pl.String,
    "state": pl.String,  # 'on loan', 'returned' or the system's own word
    **{name: kind for name, kind in EVENTS.items() if name != "item"},
}
STATE = pl.Schema(_STATE)
ORDER = ("began", "ended", "at", "updated", "event")
_STATES = {"checkout": "on loan", "renewal": "on loan", "checkin": "returned"}


def fold(events: pl.DataFrame, state: pl.DataFrame | None = None) -> pl.DataFrame:
    """The last state of each item (shape STATE, sorted by item) after `events` (shape EVENTS), given the state before."""
    parts = [events.select(EVENTS.names())]
    if state is not None:
        parts.append(state.select(EVENTS.names()))
    known = pl.concat(parts).filter(pl.col("item") != "")
    # What an item's barcode and a loan's patron are can change without an event: of equal events any one is taken, whole.
    last = known.sort("item", *ORDER, "item_barcode", "patron", "library", "due", nulls_last=False)
    last = last.unique("item", keep="last", maintain_order=True)
    return last.with_columns(pl.col("action").replace(_STATES).alias("state")).select(STATE.names()).cast(STATE)


def windowed(events: pl.DataFrame, start: str, end: str) -> pl.DataFrame:
    """`events` with `in_window`: written down in [start, end), ISO 8601; the others are of the overlap."""
    bounds = [pl.lit(each).str.to_datetime("%+", time_unit="us", time_zone="UTC") for each in (start, end)]
    return events.with_columns(((pl.col("updated") >= bounds[0]) & (pl.col("updated") < bounds[1])).alias("in_window"))
