"""Workers that write a load are killed at random, over and over.

Five windows of a thousand changes each are written at once by six workers (two are at one window). Which worker dies, and
when, is drawn from the seed; a new one takes its place. In the end the library system's audit log is the plan, each change
was done exactly once, the ledger says so, and every window's conservation check is green.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

from benchmarks.planned_load import apply_load, live_of, plan_load, volume
from holdfast.catalogue.outcomes import conservation, outcomes
from holdfast.settings import Ils
from resources.ils.folio import FolioClient
from resources.lake.client import Lake
from resources.ledger.client import Ledger
from resources.postgres.client import Postgres
from resources.redis.client import Redis
from tests.demo_ils import DemoIls

PACE = Ils(chunk_records=25, progress_records=100, lease_seconds=1)


@dataclass(frozen=True)
class Place:
    """Where everything is; goes to each worker."""

    lake: Path
    postgres_url: str
    redis_url: str
    ils_url: str
    namespace: str

    def ils(self) -> FolioClient:
        return FolioClient(self.ils_url, "demo", "demo", "demo-secret", chunk_records=PACE.chunk_records)


@dataclass(frozen=True)
class Figures:
    seed: int
    kills: int
    changes: int
    seconds: float
    sent_twice: int  # changes that a second worker had to look at, because the first died with them

    def __str__(self) -> str:
        return (
            f"seed {self.seed}: {self.kills} kills, {self.changes:,} changes in {self.seconds:.0f} s; "
            f"{self.sent_twice:,} had been sent by a worker that died"
        )


def work(place: Place, window: str) -> None:
    """One worker: writes what is left of the window."""
    postgres, redis = Postgres(place.postgres_url, connections=2), Redis(place.redis_url, namespace=place.namespace)
    applied = apply_load(Lake(place.lake), window, place.ils(), postgres, redis, PACE)
    sys.exit(bool(applied.waiting))


def lay_out(place: Place, windows: int, changes: int) -> list[str]:
    """A catalogue, and as many windows with as many changes each, planned: half of new records, half of those that are
    there. Names of the windows."""
    lake, half = Lake(place.lake), changes // 2
    postgres, redis = Postgres(place.postgres_url), Redis(place.redis_url, namespace=place.namespace)
    ils = place.ils()
    with contextlib.closing(postgres), contextlib.closing(redis), contextlib.closing(ils):
        base = [volume(n, f"Volume {n}", "20260101000000.0") for n in range(windows * half)]
        plan_load(lake, "base", base, [], postgres)
        with contextlib.closing(FolioClient(place.ils_url, "demo", "demo", "demo-secret")) as quick:
            assert not apply_load(lake, "base", quick, postgres, redis, Ils()).waiting
        live = live_of(ils)
        for window in range(windows):
            old = range(window * half, (window + 1) * half)
            # Every second change shows in the inventory, too.
            changed = [
                volume(n, f"Volume {n}" + " revised" * (n % 2), "20260201000000.0", ["Fogs"] * (1 - n % 2)) for n in old
            ]
            new = [volume(n + windows * half, f"Volume {n + windows * half}", "20260201000000.0") for n in old]
            drop = [each for pair in zip(changed, new, strict=True) for each in pair]
            assert plan_load(lake, f"window{window}", drop, live, postgres).height == changes
    return [f"window{window}" for window in range(windows)]


def kill_and_write(
    place: Place, ils: DemoIls, seed: int, *, kills: int = 100, windows: int = 5, changes: int = 1000, most: float = 280
) -> Figures:
    """The whole test; raises AssertionError where anything was lost or done twice."""
    chance = random.Random(seed)
    names = lay_out(place, windows, changes)
    before = len(ils.audit())
    total = windows * changes
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.faults.killing"])
    postgres = Postgres(place.postgres_url)
    workers: list[tuple[str, BaseProcess]] = []

    def begin(window: str) -> None:
        process = context.Process(target=work, args=(place, window), daemon=True)
        process.start()
        workers.append((window, process))

    def done() -> Counter[str]:
        with postgres.transaction() as connection:
            rows = connection.execute(
                "SELECT source, count(*) AS n FROM ledger WHERE state = 'acknowledged' AND source <> 'base' GROUP BY source"
            )
            return Counter({row["source"]: row["n"] for row in rows})

    # A kill each time that so many are done: they are spread over the whole load, however fast it is.
    moments = sorted(chance.randrange(total * 9 // 10) for _ in range(kills))
    began, killed = time.monotonic(), 0
    try:
        while (counts := done()).total() < total or killed < kills:
            assert time.monotonic() - began < most, f"seed {seed}: {counts} after {most} s and {killed} kills"
            open_windows = [each for each in names if counts[each] < changes]
            workers[:] = [each for each in workers if each[1].is_alive()]
            at_work = Counter(window for window, _ in workers)
            for window in open_windows:
                if not at_work[window]:
                    begin(window)
            if open_windows and len(workers) <= len(open_windows):
                begin(chance.choice(open_windows))  # a second one at a window that has one
            if killed < kills and counts.total() >= moments[killed] and workers:
                time.sleep(chance.random() * 0.2)
                window, victim = chance.choice(workers)
                if victim.is_alive():
                    victim.kill()
                    victim.join()
                    killed += 1
            elif counts.total() == total:
                break
            else:
                time.sleep(0.02)
        seconds = time.monotonic() - began
        for _, process in workers:
            process.join(30)
        assert killed == kills, f"seed {seed}: all was written after {killed} kills"
        return Figures(seed, killed, total, seconds, _see(place, ils, names, changes, before, postgres))
    finally:
        for _, process in workers:
            process.kill()
        postgres.close()


def _see(place: Place, ils: DemoIls, names: list[str], changes: int, before: int, postgres: Postgres) -> int:
    """That audit log, ledger and plan agree; how many changes were sent more than once."""
    lake, redis = Lake(place.lake), Redis(place.redis_url, namespace=place.namespace)
    audit = [each for each in ils.audit()[before:] if each["user"] == "demo"]
    marc = Counter(",".join(each["correlationIds"]) for each in audit if each["entityType"] == "MARC_BIB")
    instances = Counter(",".join(each["correlationIds"]) for each in audit if each["entityType"] == "INSTANCE")
    planned: set[str] = set()
    again = 0
    for name in names:
        plan = lake.read("change_plan", name)
        planned |= set(plan["correlation_id"])
        rows = {row["idempotency_key"]: row for row in Ledger(postgres).rows("folio:demo", name, name)}
        assert rows.keys() == set(plan["idempotency_key"])
        assert {row["state"] for row in rows.values()} == {"acknowledged"}
        patches = lake.read("change_plan", name, "patches")
        deletes = sum(len(row["patch"]["deletes"]) for row in rows.values())
        assert deletes == patches.filter(op="delete").height
        again += sum(row["attempts"] > 1 for row in rows.values())
        # A run that finds all of it done says so, and its conservation check is green.
        with contextlib.closing(place.ils()) as client:
            applied = apply_load(lake, name, client, postgres, redis, PACE)
        assert (applied.now, applied.waiting) == (0, "")
        counted = conservation(outcomes(lake.read("change_plan", name, "standing"), plan, applied.written))
        assert counted.holds and counted.outcomes["committed"] == changes, counted.sentence
    redis.close()
    assert marc == dict.fromkeys(planned, 1), "the audit log is not the plan"
    assert set(instances) <= planned and set(instances.values()) == {1}
    half = len(names) * changes // 2
    titles = [f"Volume {n}" + " revised" * (n % 2) for n in range(half)]
    titles += [f"Volume {n}" for n in range(half, 2 * half)]
    found = ils.call("GET", "/instance-storage/instances", params={"limit": 3 * half}).json()["instances"]
    assert sorted(each["title"] for each in found) == sorted(titles)
    assert ils.counts()["liveSourceRecords"] == 2 * half
    return again
