"""Holdings records and items of a library system as columns, without what is masked."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import orjson
import polars as pl

from holdfast.privacy.entities import MASKED_IN_ENTITIES, mask_entity

_TEXTS = pl.List(pl.String)
_HOLDINGS: dict[str, pl.DataType | type[pl.DataType]] = {
    "kind": pl.String,  # 'holdings' or 'item'
    "id": pl.String,
    "hrid": pl.String,
    "parent": pl.String,  # of a holdings record its instance, of an item its holdings record
    "barcode": pl.String,
    "item_status": pl.String,
    "item_status_date": pl.String,
    "location": pl.String,  # the one that counts: effective, else temporary, else permanent
    "call_number": pl.String,
    "copy_number": pl.String,
    "volume": pl.String,
    "enumeration": pl.String,
    "chronology": pl.String,
    "statements": _TEXTS,
    "supplements": _TEXTS,
    "indexes": _TEXTS,
    "suppressed": pl.Boolean,
    "version": pl.Int64,  # 0 where the system has none
    "updated": pl.String,
    "body_sha256": pl.String,  # hex, of the masked body without what the server counts by itself
    "body": pl.String,  # the whole record as JSON, masked
}
HOLDINGS = pl.Schema(_HOLDINGS)
# What changes without anybody's doing: no change of the record.
_COUNTED = ("_version", "metadata")
_LISTS = {
    "statements": "holdingsStatements",
    "supplements": "holdingsStatementsForSupplements",
    "indexes": "holdingsStatementsForIndexes",
}


class Live(Protocol):
    """As resources.ils.client.Entity."""

    @property
    def kind(self) -> str: ...
    @property
    def id(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def body(self) -> dict[str, Any]: ...
    @property
    def updated(self) -> str: ...


def holdings_columns(records: Iterable[Live], salt: bytes, rules: tuple[str, ...] = MASKED_IN_ENTITIES) -> pl.DataFrame:
    """Holdings records and items (shape HOLDINGS), masked before anything else is done with them."""
    rows = [_row(each, mask_entity(each.kind, each.body, salt, rules)) for each in records]
    return pl.DataFrame(rows, schema=HOLDINGS, orient="row")


def _row(record: Live, body: Mapping[str, Any]) -> tuple[Any, ...]:
    own = {name: value for name, value in body.items() if name not in _COUNTED}
    status = body.get("status") or {}
    item = record.kind == "item"
    number = "itemLevelCallNumber" if item else "callNumber"
    affixes = (f"{number}Prefix", number, f"{number}Suffix")
    return (
        record.kind,
        record.id,
        _text(body, "hrid"),
        _text(body, "holdingsRecordId" if item else "instanceId"),
        _text(body, "barcode"),
        str(status.get("name") or "") if isinstance(status, Mapping) else str(status),
        str(status.get("date") or "") if isinstance(status, Mapping) else "",
        next(
            (found for name in ("effective", "temporary", "permanent") if (found := _text(body, f"{name}LocationId"))),
            "",
        ),
        " ".join(found for name in affixes if (found := _text(body, name))),
        _text(body, "copyNumber"),
        _text(body, "volume"),
        _text(body, "enumeration"),
        _text(body, "chronology"),
        *([str(each.get("statement") or "") for each in body.get(name) or ()] for name in _LISTS.values()),
        bool(body.get("discoverySuppress")),
        record.version,
        record.updated,
        hashlib.sha256(orjson.dumps(own, option=orjson.OPT_SORT_KEYS)).hexdigest(),
        orjson.dumps(body, option=orjson.OPT_SORT_KEYS).decode(),
    )


def _text(body: Mapping[str, Any], name: str) -> str:
    return str(body.get(name) or "")
