"""The live catalogue as columns: read whole or by what changed, in parts that are few."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl
import pytest

from holdfast.catalogue.snapshot import FIELDS, RECORDS
from holdfast.privacy.masking import MaskingRules
from resources.ils import snapshot
from resources.ils.client import LiveRecord, Unit, Written
from resources.ils.errors import WaitUntilError
from resources.ils.snapshot import ASSET, STATE, refresh_or_keep, refresh_snapshot
from resources.lake.client import Lake

NOW = dt.datetime(2026, 1, 5, 12, tzinfo=dt.UTC)
RULES = MaskingRules(())


class Feed:
    """A library system that answers what it holds, in pages of ten."""

    name = "feed"

    def __init__(self) -> None:
        self.held: dict[str, LiveRecord] = {}
        self.asked: list[str | None] = []

    def put(self, number: int, title: str, updated: str = "2026-01-05T10:00:00.000+00:00") -> None:
        fields = [("LDR", "00000nam a2200000 i 4500"), ("245", f"10\x1fa{title}"), ("650", " 0\x1faPoetry")]
        target = f"live-{number:04}"
        self.held[target] = LiveRecord(target, f"in{number}", 1, {}, f"s{number}", fields, updated)

    def live_records(self, since: str | None = None) -> Iterator[list[LiveRecord]]:
        self.asked.append(since)
        found = [each for each in self.held.values() if since is None or each.updated >= since]
        for at in range(0, len(found), 10):
            yield found[at : at + 10]

    def fetch(self, targets: Sequence[str], correlation_ids: Sequence[str]) -> dict[str, LiveRecord]:
        return {each: self.held[each] for each in targets if each in self.held}

    def write(self, units: Sequence[Unit], live: dict[str, LiveRecord]) -> list[Written]:
        raise NotImplementedError


@pytest.fixture
def feed() -> Feed:
    found = Feed()
    for number in range(95):
        found.put(number, f"Volume {number}")
    return found


def titles(lake: Lake) -> dict[str, str]:
    return dict(lake.read(ASSET).select("instance_id", "title").iter_rows())


def test_small_pages_become_few_parts_and_every_record_is_in_one(feed: Feed, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(snapshot, "_PART_RECORDS", 40)
    lake = Lake(tmp_path)
    got = refresh_snapshot(lake, feed, RULES, b"salt", NOW)
    assert (got.records, got.read, got.whole) == (95, 95, True)
    heights = [pl.read_parquet(part).height for part in lake.parts(ASSET)]
    assert heights == [0, 40, 40, 15]
    assert len(titles(lake)) == 95
    # A record's fields are all in one part.
    for part in lake.batches(ASSET, table="fields"):
        counts = part.group_by("instance_id").len()
        assert set(counts["len"]) <= {3}
    assert lake.read(ASSET).schema == RECORDS
    assert lake.read(ASSET, table="fields").schema == FIELDS


def test_what_changed_is_read_and_the_rest_is_kept(feed: Feed, tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    refresh_snapshot(lake, feed, RULES, b"salt", NOW)
    feed.put(7, "Another", "2026-01-05T11:00:00.000+00:00")
    feed.put(200, "Newest", "2026-01-05T11:00:00.000+00:00")
    for each in list(feed.held)[:5]:
        feed.held[each] = feed.held[each].__class__(
            **{**vars(feed.held[each]), "updated": "2026-01-01T00:00:00.000+00:00"}
        )
    got = refresh_snapshot(lake, feed, RULES, b"salt", NOW + dt.timedelta(hours=1))
    assert not got.whole and feed.asked[-1] is not None
    found = titles(lake)
    assert len(found) == 96
    assert (found["live-0007"], found["live-0200"], found["live-0001"]) == ("Another", "Newest", "Volume 1")
    assert lake.read(ASSET)["instance_id"].is_unique().all()


@pytest.mark.parametrize("change", [{"made_by": "0.0"}, {"made_by": None}, {"ils": "another"}])
def test_a_snapshot_that_another_code_or_system_made_is_read_whole(feed: Feed, tmp_path: Path, change: dict) -> None:
    lake = Lake(tmp_path)
    refresh_snapshot(lake, feed, RULES, b"salt", NOW)
    state = {**lake.read(ASSET, table="state").row(0, named=True), **change}
    with lake.replace(ASSET) as writer:
        # As an earlier version wrote it: fewer columns, and a state that does not say who made it.
        writer.write("rows", pl.DataFrame({"instance_id": ["old"]}))
        writer.write("fields", pl.DataFrame(schema=FIELDS))
        schema = {name: dtype for name, dtype in STATE.items() if state[name] is not None}
        writer.write("state", pl.DataFrame([{name: state[name] for name in schema}], schema=schema))
    got = refresh_snapshot(lake, feed, RULES, b"salt", NOW)
    assert got.whole
    assert len(titles(lake)) == 95


def test_where_the_quota_is_spent_the_snapshot_stays_as_it_was(feed: Feed, tmp_path: Path, monkeypatch) -> None:
    def spent(since: str | None = None) -> Iterator[list[LiveRecord]]:
        yield [feed.held["live-0003"]]
        raise WaitUntilError("the day's quota is spent", NOW)

    lake = Lake(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(feed, "live_records", spent)
        with pytest.raises(WaitUntilError):
            refresh_or_keep(lake, feed, RULES, b"salt", NOW)
    refresh_or_keep(lake, feed, RULES, b"salt", NOW)
    monkeypatch.setattr(feed, "live_records", spent)
    got = refresh_or_keep(lake, feed, RULES, b"salt", NOW + dt.timedelta(hours=1))
    assert (got.records, got.read) == (95, 0) and "it goes on at 2026-01-05T12:00" in got.waiting
    assert len(titles(lake)) == 95
    monkeypatch.setattr(feed, "name", "another")
    with pytest.raises(WaitUntilError):
        refresh_or_keep(lake, feed, RULES, b"salt", NOW)
