"""Circulation events as columns, without a patron in them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Protocol

import polars as pl

from holdfast.privacy.masking import token

_MOMENT = pl.Datetime("us", "UTC")
_EVENTS: dict[str, pl.DataType | type[pl.DataType]] = {
    "event": pl.String,  # the system's id of it; where it has none, a hash of what makes it one
    "loan": pl.String,
    "item": pl.String,
    "item_barcode": pl.String,
    "patron": pl.String,  # token; '' where the system says no more who it was
    "action": pl.String,  # 'checkout', 'renewal', 'checkin' or the system's own word
    "ended": pl.Boolean,  # the loan is over
    "began": _MOMENT,  # the loan
    "at": _MOMENT,  # when it happened
    "due": _MOMENT,
    "library": pl.String,
    "updated": _MOMENT,  # when the system wrote it down
}
EVENTS = pl.Schema(_EVENTS)
_ENDING = ("checkin",)
_TEXTS = ("loan", "item", "item_barcode", "action", "library")


class Event(Protocol):
    """As resources.ils.client.CirculationEvent; moments are ISO 8601 with a time zone, '' for none."""

    @property
    def id(self) -> str: ...
    @property
    def loan(self) -> str: ...
    @property
    def item(self) -> str: ...
    @property
    def item_barcode(self) -> str: ...
    @property
    def patron(self) -> str: ...
    @property
    def action(self) -> str: ...
    @property
    def ended(self) -> bool: ...
    @property
    def began(self) -> str: ...
    @property
    def at(self) -> str: ...
    @property
    def due(self) -> str: ...
    @property
    def library(self) -> str: ...
    @property
    def updated(self) -> str: ...


def masked_events(events: Iterable[Event], salt: bytes) -> pl.DataFrame:
    """Events (shape EVENTS) with the patron as token; one that came twice is there once.

    An event without a time is of the moment when it was written down. `began` is the event's own time where the system does
    not say when the loan began.
    """
    rows = [
        (
            each.id or _made_id(each),
            *(getattr(each, name) for name in _TEXTS[:3]),
            token(each.patron, salt) if each.patron else "",
            each.action,
            each.ended or each.action in _ENDING,
            each.began or each.at or each.updated,
            each.at or each.updated,
            each.due or None,
            each.library,
            each.updated,
        )
        for each in events
    ]
    texts = pl.Schema({name: pl.String if kind == _MOMENT else kind for name, kind in EVENTS.items()})
    frame = pl.DataFrame(rows, schema=texts, orient="row")
    moments = [name for name, kind in EVENTS.items() if kind == _MOMENT]
    parsed = frame.with_columns(_moment(name) for name in moments)
    return parsed.select(EVENTS.names()).unique("event", keep="any").sort("updated", "event")


def _moment(name: str) -> pl.Expr:
    """Systems write +00:00, Z, +0100, with and without fractions: all of them, and nothing else, become a moment in UTC."""
    # A moment that can't be read is an error, not an event without a time: folding would put it first.
    text = pl.col(name).str.replace(r"Z$", "+00:00").str.replace(r"([+-]\d{2})(\d{2})$", "${1}:${2}")
    return text.str.to_datetime("%+", time_unit="us", time_zone="UTC", strict=True)


def _made_id(event: Event) -> str:
    parts = (event.loan, event.action, event.at, event.updated)
    named = "".join(f"{len(part)}:{part}" for part in parts)
    return "made:" + hashlib.sha256(named.encode()).hexdigest()[:32]
