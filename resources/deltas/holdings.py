"""A day's changed holdings records and items, from the library system to the lake; their last states, in PostgreSQL.

The library system tells the present state of what changed, not each change, and nothing of what was deleted. So the last
states are kept: what changed is found against them, and now and then everything is read and what is gone is found too.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from holdfast.deltas.windows import NOT_OVER, Window, gaps
from holdfast.holdings.columns import HOLDINGS, holdings_columns
from holdfast.holdings.delta import DELTAS, holdings_delta
from holdfast.privacy.entities import MASKED_IN_ENTITIES
from resources.deltas.log import DeltaLog, WindowReading
from resources.ils.client import EntityIls, Kind
from resources.lake.client import Lake, PartitionWriter
from resources.postgres.client import Connection, Postgres

ASSET = "holdings_deltas"
KINDS: tuple[Kind, ...] = ("holdings", "item")
STATE_COLUMNS = ("kind", "id", "version", "updated", "body_sha256", "body")
_STATE = pl.Schema({name: HOLDINGS[name] for name in STATE_COLUMNS})
_DELTA_KEY = ("kind", "id", "change", "pointer", "version")
_AT_ONCE = 5_000
_FEW = 20  # of a small library a share says little


@dataclass(frozen=True)
class Rules:
    """settling, whole_every, removed_share: settings `deltas`; masking: rules of holdfast.privacy.entities."""

    settling: dt.timedelta
    whole_every: dt.timedelta
    removed_share: float
    masking: tuple[str, ...] = MASKED_IN_ENTITIES

    @property
    def masked_by(self) -> str:
        return hashlib.sha256("\n".join(sorted(self.masking)).encode()).hexdigest()


@dataclass(frozen=True)
class DayRead:
    """changes: counts by 'added', 'changed' (records), 'removed'. baseline: nothing was known before, so nothing changed."""

    rows: int
    changes: dict[str, int]
    read: int
    read_at: dt.datetime
    watermark: str
    lacks: str
    whole: bool
    baseline: bool
    gaps: dict[dt.date, str]


class TooManyGoneError(RuntimeError):
    """More is gone than one comparison may say: nothing was changed; says what to do."""


class _Day:
    """What one run writes of a day; the keys of what it wrote, so that what was there before is carried on once."""

    def __init__(self, writer: PartitionWriter, connection: Connection, ils: str, window: Window) -> None:
        self._writer, self._connection, self._ils, self._window = writer, connection, ils, window
        self._rows = [pl.DataFrame(schema={name: HOLDINGS[name] for name in ("kind", "id")})]
        self._deltas = [pl.DataFrame(schema={name: DELTAS[name] for name in _DELTA_KEY})]
        self.read = 0
        self.watermark = ""
        self.changes: dict[str, int] = dict.fromkeys(("added", "changed", "removed"), 0)
        writer.write("rows", pl.DataFrame(schema=HOLDINGS))
        writer.write("deltas", pl.DataFrame(schema=DELTAS))
        connection.execute("CREATE TEMP TABLE seen (kind text, id text, PRIMARY KEY (kind, id)) ON COMMIT DROP")

    def take(self, frame: pl.DataFrame, *, baseline: bool) -> None:
        """A page (shape HOLDINGS, one kind): its rows in the window, what changed against the last states, the new states."""
        before = self._states(frame)
        if not baseline:
            self._add("deltas", holdings_delta(before, frame, whole=False))
        moment = pl.col("updated").str.to_datetime("%+", time_unit="us", time_zone="UTC", strict=False)
        inside = moment.is_between(self._window.asked_from, self._window.end, closed="left").fill_null(value=False)
        self._add("rows", frame.filter(inside))
        self._keep(frame)
        self.read += frame.height
        self.watermark = max([self.watermark, *frame.filter(inside)["updated"]])

    def _add(self, table: str, frame: pl.DataFrame) -> None:
        if not frame.height:
            return
        self._writer.write(table, frame)
        if table == "rows":
            self._rows.append(frame.select("kind", "id"))
        else:
            self._deltas.append(frame.select(_DELTA_KEY))
            records = frame.unique(["kind", "id"])["change"].value_counts()
            for change, count in records.iter_rows():
                self.changes[change] += count

    def _states(self, frame: pl.DataFrame) -> pl.DataFrame:
        rows = self._connection.execute(
            "SELECT kind, id, version, updated, body_sha256, body FROM entity_states "
            "WHERE ils = %s AND kind = %s AND id = ANY(%s)",
            [self._ils, frame["kind"][0], frame["id"].to_list()],
        ).fetchall()
        return pl.DataFrame(rows, schema=_STATE)

    def _keep(self, frame: pl.DataFrame) -> None:
        with self._connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO entity_states (ils, kind, id, version, updated, body_sha256, body) VALUES (%s, %s, %s, %s, %s, %s, %s) "
                "ON CONFLICT (ils, kind, id) DO UPDATE SET version = EXCLUDED.version, updated = EXCLUDED.updated, "
                "body_sha256 = EXCLUDED.body_sha256, body = EXCLUDED.body "
                "WHERE (EXCLUDED.version, EXCLUDED.updated) >= (entity_states.version, entity_states.updated)",
                [(self._ils, *row) for row in frame.select(STATE_COLUMNS).iter_rows()],
            )
            cursor.executemany(
                "INSERT INTO seen VALUES (%s, %s) ON CONFLICT DO NOTHING", list(frame.select("kind", "id").iter_rows())
            )

    def remove_what_is_gone(self, most: float) -> None:
        """After everything was read: states of what was not among it.

        Raises:
            TooManyGoneError: more than the share `most` of what was known is gone.
        """
        gone = "FROM entity_states s WHERE ils = %s AND NOT EXISTS (SELECT 1 FROM seen WHERE seen.kind = s.kind AND seen.id = s.id)"
        counted = self._connection.execute(
            f"SELECT (SELECT count(*) {gone}) AS gone, (SELECT count(*) FROM entity_states WHERE ils = %s) AS known".encode(),  # noqa: S608
            [self._ils, self._ils],
        ).fetchone()
        if counted and counted["gone"] > max(most * counted["known"], _FEW):
            raise TooManyGoneError(
                f"{counted['gone']:,} of {counted['known']:,} holdings records and items are not in the library system any more, "
                f"deltas.removed_share allows {most:.0%}: if they were deleted indeed, raise it and materialize again"
            )
        with self._connection.cursor(name="gone") as cursor:
            cursor.execute(f"SELECT kind, id, version, updated, body_sha256, body {gone}".encode(), [self._ils])
            while rows := cursor.fetchmany(_AT_ONCE):
                before = pl.DataFrame(rows, schema=_STATE)
                self._add("deltas", holdings_delta(before, before.clear(), whole=True))
        self._connection.execute(f"DELETE {gone}".encode(), [self._ils])

    def carry_on(self, rows: Iterator[pl.DataFrame], deltas: Iterator[pl.DataFrame]) -> None:
        """What the partition had before, where this run did not write it anew."""
        new_rows, new_deltas = pl.concat(self._rows), pl.concat(self._deltas)
        for part in rows:
            kept = part.join(new_rows, on=["kind", "id"], how="anti")
            if kept.height:
                self._writer.write("rows", kept)
                self.watermark = max([self.watermark, *kept["updated"]])
        for part in deltas:
            self._add("deltas", part.join(new_deltas, on=list(_DELTA_KEY), how="anti"))


def read_holdings_day(
    lake: Lake,
    postgres: Postgres,
    ils: EntityIls,
    window: Window,
    salt: bytes,
    rules: Rules,
    run_id: str = "",
) -> DayRead:
    """Holdings records and items that were changed in the window as they are now, and what changed in them.

    Everything is read where nothing was yet by these rules of masking, and where that is longer ago than `rules.whole_every`. Read again the partition
    keeps what it had: a record that was changed on a later day since is told of by that day only.

    Raises:
        TooManyGoneError: everything was read, and too much of what was known was not among it.
    """
    log, key = DeltaLog(postgres, ASSET, ils.name), window.day.isoformat()
    with log.alone():
        read_at, last_whole = ils.clock(), log.compared_whole_at(rules.masked_by)
        before = lake.facts(ASSET, key)
        whole = last_whole is None or read_at - last_whole >= rules.whole_every
        # The states and the partition change together. A run that dies between the two finds the same changes again.
        with postgres.transaction() as connection, lake.replace(ASSET, key) as writer:
            day = _Day(writer, connection, ils.name, window)
            if last_whole is None:  # other rules: what was kept may hold what is to be masked now
                connection.execute("DELETE FROM entity_states WHERE ils = %s", [ils.name])
            for kind in KINDS:
                since, until = (None, None) if whole else (window.asked_from.isoformat(), window.end.isoformat())
                for page in ils.entities(kind, since, until):
                    if page:
                        day.take(holdings_columns(page, salt, rules.masking), baseline=last_whole is None)
            if whole:
                day.remove_what_is_gone(rules.removed_share)
            if before.get("masked_by") == rules.masked_by:
                day.carry_on(_before(lake, key, "rows"), _before(lake, key, "deltas"))
            writer.facts |= {"ils": ils.name, "watermark": day.watermark, "read_at": read_at.isoformat()}
            writer.facts["masked_by"] = rules.masked_by
        lacks = "" if window.is_over(read_at, rules.settling) else NOT_OVER
        rows, changes = lake.rows(ASSET, key), lake.rows(ASSET, key, "deltas")
        log.enter(
            WindowReading(
                ASSET, ils.name, window.day, window.asked_from, window.end, read_at, lacks, day.watermark, rows, changes,
                whole, run_id, rules.masked_by,
            )
        )  # fmt: skip
    found = gaps(log.readings(), window.day) | ({window.day: lacks} if lacks else {})
    return DayRead(rows, day.changes, day.read, read_at, day.watermark, lacks, whole, last_whole is None, found)


def _before(lake: Lake, key: str, table: str) -> Iterator[pl.DataFrame]:
    if lake.exists(ASSET, key):
        yield from lake.batches(ASSET, key, table)


def read_states(postgres: Postgres, ils: str, kind: Kind) -> Iterator[pl.DataFrame]:
    """The last states of a kind, some thousand at a time: kind, id, version, updated, body_sha256, body (JSON, masked)."""
    with postgres.transaction() as connection, connection.cursor(name="states") as cursor:
        cursor.execute(
            "SELECT kind, id, version, updated, body_sha256, body FROM entity_states WHERE ils = %s AND kind = %s "
            'ORDER BY id COLLATE "C"',
            [ils, kind],
        )
        while rows := cursor.fetchmany(_AT_ONCE):
            yield pl.DataFrame(rows, schema=_STATE)
