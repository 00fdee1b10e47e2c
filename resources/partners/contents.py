"""What an export is made of, portion by portion: the catalogue from the lake, the rest from its last states in PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import orjson
import polars as pl

from holdfast.feeds.elements import ELEMENTS, FeedKind, masked_elements
from holdfast.marc.frames import Frames
from holdfast.partners.bibliographic import exportable
from holdfast.partners.delta import STATE, hashes
from holdfast.partners.holdings import as_marc
from holdfast.privacy.masking import PREFIX
from resources.deltas import circulation, holdings
from resources.deltas.log import last_read_ils
from resources.ils.elements import NUMBERED, elements_of
from resources.ils.feeds import KINDS, FeedIls
from resources.lake.client import Lake, NotMaterialized
from resources.postgres.client import Postgres


class Portion(NamedTuple):
    """state: shape delta.STATE. frames: the same records as MARC. cells: columns id and those of the CSV; None: from the frames."""

    state: pl.DataFrame
    frames: Frames
    cells: pl.DataFrame | None = None


class Stores(NamedTuple):
    """Where contents come from. The library system is asked for its codes of locations and types."""

    lake: Lake
    postgres: Postgres
    ils: FeedIls


def portions(stores: Stores, contents: str) -> Iterator[Portion]:
    """
    Raises:
        NotMaterialized: what it is made of was never read.
    """
    if contents == "bibliographic":
        yield from _bibliographic(stores.lake)
    elif contents == "circulation":
        yield from _circulation(stores.postgres)
    else:
        yield from _entities(stores, "holdings" if contents == "holdings" else "items")


def _bibliographic(lake: Lake) -> Iterator[Portion]:
    for fields in lake.batches("catalog_snapshot", table="fields"):
        if fields.height:
            made = exportable(fields)
            yield Portion(made.state, made.frames)


def _read_from(postgres: Postgres, asset: str) -> str:
    ils = last_read_ils(postgres, asset)
    if ils is None:
        raise NotMaterialized(f"{asset}: no day of it was ever read; materialize {asset} first")
    return ils


def _circulation(postgres: Postgres) -> Iterator[Portion]:
    """The last state of each item, without whom it is lent to."""
    ils = _read_from(postgres, circulation.ASSET)
    moments = [pl.col(name).dt.strftime("%Y-%m-%dT%H:%M:%SZ").alias(name) for name in ("at", "due")]
    states = circulation.read_states(postgres, ils).with_columns(moments)
    cells = states.select(
        pl.col("item").alias("id"), "item", pl.col("item_barcode").alias("barcode"), "state", "at", "due", "library"
    )
    yield _portion(cells.with_columns(pl.lit("false").alias("deleted")), "barcode", as_marc(cells.head(0)))


class _Lists:
    """Reference data by their ids; records that are referred to keep theirs, and get their numbers by a join."""

    def __init__(self, ils: FeedIls) -> None:
        self._ils = ils
        self._names: dict[str, dict[str, str]] = {name: {} for name in NUMBERED}

    def ids(self, name: str) -> Mapping[str, str]:
        return {number: own for own, number in self.names(name).items()}

    def names(self, name: str) -> Mapping[str, str]:
        if name not in self._names:
            self._names[name] = {number: names[0] for number, names in self._ils.reference_list(name)}
        return self._names[name]


def _entities(stores: Stores, kind: FeedKind) -> Iterator[Portion]:
    ils, lists, table = _read_from(stores.postgres, holdings.ASSET), _Lists(stores.ils), stores.ils.elements[kind]
    numbers = _numbers(stores, ils, kind)
    shown = [name for name in ELEMENTS[kind] if name not in masked_elements(kind)]
    schema = {"id": pl.String, **dict.fromkeys(shown, pl.String)}
    for states in holdings.read_states(stores.postgres, ils, KINDS[kind]):
        rows = []
        for number, body in states.select("id", "body").iter_rows():
            found = elements_of(orjson.loads(body), table, lists)
            kept = {name: value for name, value in found.items() if name in schema and not value.startswith(PREFIX)}
            rows.append({"id": number, **kept})
        cells = pl.DataFrame(rows, schema=schema)
        for element, at in table.items():
            if at.reference in NUMBERED:
                named = numbers.select(pl.col("id").alias(element), "number_of")
                cells = cells.join(named, on=element, how="left", maintain_order="left")
                cells = cells.with_columns(pl.coalesce("number_of", element).alias(element)).drop("number_of")
        yield _portion(cells.with_columns(pl.lit("false").alias("deleted")), "number", as_marc(cells))


def _numbers(stores: Stores, ils: str, kind: FeedKind) -> pl.DataFrame:
    """Columns id, number_of: numbers for people of the records that these refer to."""
    schema = {"id": pl.String, "number_of": pl.String}
    if kind == "holdings":
        found = stores.lake.scan("catalog_snapshot").select(pl.col("instance_id").alias("id"), pl.col("hrid"))
        return found.rename({"hrid": "number_of"}).unique("id").collect()
    rows = [
        (number, str(orjson.loads(body).get("hrid") or ""))
        for states in holdings.read_states(stores.postgres, ils, "holdings")
        for number, body in states.select("id", "body").iter_rows()
    ]
    return pl.DataFrame(rows, schema=schema, orient="row").filter(pl.col("number_of") != "")


def _portion(cells: pl.DataFrame, number: str, frames: Frames) -> Portion:
    values = [pl.col(name).fill_null("").alias(name) for name in cells.columns if name != "id"]
    texts = cells.select(pl.concat_str(values, separator="\x1f").alias("text"))["text"]
    numbers = pl.col(number).fill_null("").alias("number") if number in cells.columns else pl.lit("").alias("number")
    state = cells.select("id", numbers).with_columns(hashes(texts).alias("sha256"), pl.lit("").alias("leader"))
    if frames.records.height:
        state = state.with_columns(frames.records["leader"].alias("leader"))
    return Portion(state.select(list(STATE)), frames, cells)
