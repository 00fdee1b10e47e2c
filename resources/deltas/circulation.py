"""A day of circulation, from the library system to the lake; the last state of each item, in PostgreSQL."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import polars as pl

from holdfast.circulation.events import EVENTS, masked_events
from holdfast.circulation.folding import STATE, fold, windowed
from holdfast.deltas.windows import NOT_OVER, Window, gaps
from resources.deltas.log import DeltaLog, WindowReading
from resources.ils.client import EntityIls
from resources.lake.client import Lake
from resources.postgres.client import Postgres

ASSET = "circulation_deltas"
_ROWS: dict[str, pl.DataType | type[pl.DataType]] = {**EVENTS, "in_window": pl.Boolean}
ROWS = pl.Schema(_ROWS)
LATE = "rows of it were written down after it was read"
_COLUMNS = ("ils", *STATE.names())


@dataclass(frozen=True)
class DayRead:
    """late: events of the overlap that the day before has not. gaps: day → why it is one."""

    rows: int
    items: int
    read_at: dt.datetime
    watermark: str
    lacks: str
    late: int
    gaps: dict[dt.date, str]


def read_circulation_day(
    lake: Lake,
    postgres: Postgres,
    ils: EntityIls,
    window: Window,
    salt: bytes,
    settling: dt.timedelta,
    run_id: str = "",
) -> DayRead:
    """Events that were written down in the window, masked before they are stored, and folded.

    Read again it gives the same rows: what the library system no longer tells (a history that was cleaned up) stays.
    """
    log, key = DeltaLog(postgres, ASSET, ils.name), window.day.isoformat()
    with log.alone():
        read_at = ils.clock()
        before = lake.read(ASSET, key) if lake.exists(ASSET, key) else pl.DataFrame(schema=ROWS)
        # Small rows of one day: of a library that lends 100,000 times a day, about 20 MB.
        pages = [
            masked_events(page, salt) for page in ils.circulation(window.asked_from.isoformat(), window.end.isoformat())
        ]
        events = pl.concat([*pages, before.select(EVENTS.names()), pl.DataFrame(schema=EVENTS)])
        events = events.unique("event", keep="first", maintain_order=True).sort("updated", "event")
        rows = windowed(events, window.start.isoformat(), window.end.isoformat()).select(ROWS.names())
        state = fold(events)
        with lake.replace(ASSET, key) as writer:
            writer.write("rows", rows)
            writer.write("state", state)
            watermark = _latest(rows)
            writer.facts |= {"ils": ils.name, "watermark": watermark, "read_at": read_at.isoformat()}
        keep_states(postgres, ils.name, state)
        late = _late(lake, window, rows)
        if late:
            log.doubt(window.day - dt.timedelta(days=1), LATE)
        lacks = "" if window.is_over(read_at, settling) else NOT_OVER
        log.enter(
            WindowReading(
                ASSET,
                ils.name,
                window.day,
                window.asked_from,
                window.end,
                read_at,
                lacks,
                watermark,
                rows.height,
                run_id=run_id,
            )
        )
    return DayRead(
        rows.height,
        state.height,
        read_at,
        watermark,
        lacks,
        late,
        gaps(log.readings(), window.day) | _own(window, lacks),
    )


def _own(window: Window, lacks: str) -> dict[dt.date, str]:
    return {window.day: lacks} if lacks else {}


def _latest(rows: pl.DataFrame) -> str:
    latest = rows["updated"].max()
    return latest.isoformat() if isinstance(latest, dt.datetime) else ""


def _late(lake: Lake, window: Window, rows: pl.DataFrame) -> int:
    """How many events of the overlap are not in the partition of the day before; 0 where that was never read."""
    before = (window.day - dt.timedelta(days=1)).isoformat()
    if not lake.exists(ASSET, before):
        return 0
    known = lake.scan(ASSET, before).select("event").collect()
    return rows.filter(~pl.col("in_window")).join(known, on="event", how="anti").height


def keep_states(postgres: Postgres, ils: str, state: pl.DataFrame) -> None:
    """Bring the last states up to date with `state` (shape STATE). Of two events of an item the greater one stays, so it is
    the same in whatever order days are read, and by however many at once."""
    order = ("began", "ended", "at", "updated", "event")
    greater = f"({', '.join(f'EXCLUDED.{name}' for name in order)}) >= ({', '.join(f'circulation_states.{name}' for name in order)})"
    names = ", ".join(_COLUMNS)
    sets = ", ".join(f"{name} = EXCLUDED.{name}" for name in _COLUMNS if name not in ("ils", "item"))
    with postgres.transaction() as connection:
        connection.execute("CREATE TEMP TABLE came (LIKE circulation_states) ON COMMIT DROP")
        with connection.cursor() as cursor, cursor.copy(f"COPY came ({names}) FROM STDIN".encode()) as copy:
            for row in state.select(STATE.names()).iter_rows():
                copy.write_row((ils, *row))
        connection.execute(
            f"INSERT INTO circulation_states ({names}) SELECT {names} FROM came ORDER BY item "  # noqa: S608
            f"ON CONFLICT (ils, item) DO UPDATE SET {sets} WHERE {greater}".encode()
        )


def read_states(postgres: Postgres, ils: str) -> pl.DataFrame:
    """The last state of each item (shape STATE), sorted by item."""
    names = ", ".join(STATE.names())
    with postgres.transaction() as connection:
        rows = connection.execute(
            f'SELECT {names} FROM circulation_states WHERE ils = %s ORDER BY item COLLATE "C"'.encode(),  # noqa: S608
            [ils],
        ).fetchall()
    return pl.DataFrame(rows, schema=STATE)
