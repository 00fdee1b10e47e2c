"""When files on a vendor's server are loaded."""

from __future__ import annotations

import datetime as dt
import os
import time
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from holdfast.environment import read_environment
from holdfast.privacy.masking import MaskingRules
from holdfast.settings import parse_settings
from resources.drop_sites.client import DropSites
from resources.lake.client import Lake
from resources.postgres.client import Postgres
from resources.postgres.drops import Drops
from resources.vault.client import Vault
from resources.vault.harvest import harvest_window
from sensors.drop_site_sensors import (
    AGAIN_SECONDS,
    ATTEMPTS,
    Remote,
    SeenSite,
    SitePlan,
    build_drop_site_sensors,
    plan_site,
)
from tests.conftest import SALT
from tests.records import book
from tests.resources.drop_sites.servers import PASSWORD, USER, ftp_server

DAY = "2026-03-10"
NOTHING = SeenSite({}, {})


def plan(seen: SeenSite, *files: Remote, now: float, fetched: frozenset = frozenset(), wait: float = 3) -> SitePlan:
    return plan_site(
        SeenSite.from_cursor(seen.to_cursor()),
        files,
        now=now,
        wait=wait,
        days=("2026-01-01", "2026-03-11"),
        is_fetched=lambda day, name, state: (day, name, state) in fetched,
    )


def remote(name: str = "a.mrc", state: str = "1", day: str = DAY) -> Remote:
    return Remote(name, state, day)


def days_of(found: SitePlan) -> list[str]:
    return [day for day, _ in found.requests]


def test_a_file_is_loaded_once_it_looked_the_same_for_long_enough_by_our_clock() -> None:
    first = plan(NOTHING, remote(), now=100)
    assert first.requests == [] and first.waiting == [f"{DAY}: waits for a.mrc"]
    second = plan(first.seen, remote(), now=102.9)
    assert second.requests == []
    assert days_of(plan(second.seen, remote(), now=103)) == [DAY]


def test_a_file_that_grows_waits_anew_and_holds_only_its_own_day() -> None:
    other = remote("b.mrc", day="2026-03-09")
    first = plan(NOTHING, remote(), other, now=100)
    second = plan(first.seen, remote(state="2"), other, now=105)
    assert days_of(second) == ["2026-03-09"]
    assert days_of(plan(second.seen, remote(state="2"), other, now=109)) == [DAY]


def test_an_unfinished_name_holds_its_day_for_ever() -> None:
    files = (remote(), remote("b.mrc.filepart"))
    seen = plan(NOTHING, *files, now=100).seen
    assert plan(seen, *files, now=10_000).requests == []


def test_what_is_fetched_is_not_asked_for_and_a_corrected_file_is() -> None:
    fetched = frozenset({(DAY, "a.mrc", "1")})
    seen = plan(NOTHING, remote(), now=100, fetched=fetched).seen
    seen = plan(seen, remote(), now=200, fetched=fetched).seen
    assert plan(seen, remote(), now=300, fetched=fetched).requests == []
    corrected = plan(seen, remote(state="2"), now=400, fetched=fetched)
    assert days_of(plan(corrected.seen, remote(state="2"), now=500, fetched=fetched)) == [DAY]


def test_what_is_not_fetched_is_asked_for_again_after_an_hour_and_not_for_ever() -> None:
    seen, asked, keys = plan(NOTHING, remote(), now=0).seen, [], set()
    for minute in range(60 * 24):
        found = plan(seen, remote(), now=10_000 + minute * 60)
        seen = found.seen
        asked += [minute] * len(found.requests)
        keys |= {key for _, key in found.requests}
    assert len(asked) == len(keys) == ATTEMPTS
    assert asked[1] - asked[0] >= AGAIN_SECONDS / 60


def test_a_day_that_is_no_partition_waits_for_a_person() -> None:
    seen = plan(NOTHING, remote(day="2019-01-01"), now=100).seen
    found = plan(seen, remote(day="2019-01-01"), now=200)
    assert found.requests == [] and "2019-01-01 is not between" in found.waiting[0]


def test_odd_names_survive_the_cursor() -> None:
    odd = remote("caf\udce9.mrc")
    seen = plan(NOTHING, odd, now=100).seen
    assert days_of(plan(seen, odd, now=200)) == [DAY]


# ---- through Dagster, from a real server into the lake ---------------------------------------------------------------------


@pytest.mark.dagster
@pytest.mark.services
def test_a_drop_on_a_server_is_seen_fetched_once_and_left_alone(
    tmp_path: Path, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOLDFAST_SOURCE_VENDOR_USER", USER)
    monkeypatch.setenv("HOLDFAST_SOURCE_VENDOR_PASSWORD", PASSWORD)
    folder = tmp_path / "vendor"
    folder.mkdir()
    today = dt.datetime.now(dt.UTC).date().isoformat()
    with ftp_server(folder) as (port, cuts):
        settings = parse_settings(
            f'[library]\nname = "L"\n[sources.vendor]\nurl = "ftp://127.0.0.1:{port}"\nstill_seconds = 0.05\n',
            root=tmp_path,
        )
        sites = DropSites(settings, read_environment)
        (sensor,) = build_drop_site_sensors(settings)
        cursor: list[str | None] = [None]

        def tick() -> Any:
            time.sleep(0.06)
            with dg.build_sensor_context(
                cursor=cursor[0], resources={"postgres": postgres, "drop_sites": sites}
            ) as context:
                result = sensor(context)
                cursor[0] = result.cursor if isinstance(result, dg.SensorResult) else context.cursor
            return result.run_requests if isinstance(result, dg.SensorResult) else []

        def load() -> Any:
            rules = MaskingRules(settings.masking.fields, settings.masking.notes_when_private)
            lake, vault = Lake(tmp_path / "lake"), Vault(tmp_path / "vault", b"k" * 32)
            return harvest_window(settings, lake, postgres, vault, "vendor", today, rules, SALT.encode(), "r", sites)

        (folder / "a.mrc").write_bytes(book("1"))
        assert tick() == []
        (request,) = tick()
        assert request.partition_key == f"{today}|vendor"
        got = load()
        assert (got.drops, got.records, got.rejected) == (1, 1, 0)
        assert tick() == []
        fetched = cuts.transfers
        assert load().records == 1
        assert cuts.transfers == fetched

        (folder / "b.mrc").write_bytes(book("2"))
        tick()
        (again,) = tick()
        assert again.run_key != request.run_key
        # A file that grows while it is fetched waits, and the other one of the day is loaded.
        (folder / "c.mrc").write_bytes(book("3"))
        listing = sites.of("vendor").listing
        growing = listing()
        (folder / "c.mrc").write_bytes(book("3") + book("4"))
        os.utime(folder / "c.mrc", (time.time() - 60, time.time() - 60))
        monkeypatch.setattr("resources.drop_sites.client.DropSite.listing", lambda _: growing)
        got = load()
        assert (got.drops, got.records) == (2, 2)
        assert len(got.waiting) == 1 and "c.mrc" in got.waiting[0]
        assert {name for name, _ in Drops(postgres).fetched_of("vendor", dt.date.fromisoformat(today))} == {
            "a.mrc",
            "b.mrc",
        }
        assert sorted(path.name for path in folder.iterdir()) == ["a.mrc", "b.mrc", "c.mrc"]


@pytest.mark.services
def test_a_run_that_is_killed_before_the_drop_is_registered_fetches_it_again(
    tmp_path: Path, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    from resources.vault.drops import received

    monkeypatch.setenv("HOLDFAST_SOURCE_VENDOR_USER", USER)
    monkeypatch.setenv("HOLDFAST_SOURCE_VENDOR_PASSWORD", PASSWORD)
    folder = tmp_path / "vendor"
    folder.mkdir()
    (folder / "a.mrc").write_bytes(book("1"))
    (folder / "b.mrc").write_bytes(book("2"))
    today = dt.datetime.now(dt.UTC).date()
    with ftp_server(folder) as (port, _):
        settings = parse_settings(
            f'[library]\nname = "L"\n[sources.vendor]\nurl = "ftp://127.0.0.1:{port}"\n', root=tmp_path
        )
        site, drops = DropSites(settings, read_environment).of("vendor"), Drops(postgres)
        vault = Vault(tmp_path / "vault", b"k" * 32)
        with (
            pytest.raises(KeyboardInterrupt),
            received(settings, drops, vault, "vendor", today.isoformat(), site) as window,
        ):
            next(window)
            raise KeyboardInterrupt
        assert drops.fetched_of("vendor", today) == set()
        with received(settings, drops, vault, "vendor", today.isoformat(), site) as window:
            found = []
            for drop in window:
                found.append(drop.name)
                drops.counted("vendor", today, drop.sha256, 1)
        assert found == ["a.mrc", "b.mrc"]
        assert len(drops.fetched_of("vendor", today)) == 2
