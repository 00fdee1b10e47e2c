"""Claim: a changed record costs one write and at most one read, and one that did not change costs no request.

A quarter of the load is new, half of it changes a record that is there (every second of these in a field that the inventory
shows), a quarter is as the catalogue has it. It is planned before the clock starts; what is timed is the writing, into the demo
library (FOLIO), with no more requests a second than `--quota`: a token bucket in each process stands for the library's
agreement. The peer does what most scripts do: for every record it reads the instance, puts it whole, reads the MARC record,
puts it whole; whether it changed or not. Requests are counted in the library's own log.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from benchmarks.measure import OURS, Contender, Summary, clock, lines, report, run_rounds, show, table
from benchmarks.planned_load import apply_load, live_of, plan_load, volume
from holdfast.catalogue.fields import to_marc_json
from holdfast.catalogue.snapshot import Live
from holdfast.settings import Ils
from resources.embedded.services import start, stop
from resources.ils.client import Unit
from resources.ils.folio import FolioClient
from resources.lake.client import Lake
from resources.ledger.applying import units_of
from resources.postgres.client import Postgres
from resources.redis.client import Redis
from tests.demo_ils import DemoIls

RECORDS = {False: 1_200, True: 80}  # by --quick
NAIVE = "GET and PUT each"


class Quota(httpx.BaseTransport):
    """No more requests a second than agreed: a bucket that holds a tenth of a second's."""

    def __init__(self, per_second: float) -> None:
        self._rate, self._most = per_second, max(per_second / 10, 1)
        self._left, self._then = self._most, time.monotonic()
        self._below = httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        while True:
            now = time.monotonic()
            self._left = min(self._left + (now - self._then) * self._rate, self._most)
            self._then = now
            if self._left >= 1:
                self._left -= 1
                return self._below.handle_request(request)
            time.sleep((1 - self._left) / self._rate)

    def close(self) -> None:
        self._below.close()


def client(url: str, transport: httpx.BaseTransport | None = None) -> FolioClient:
    return FolioClient(url, "demo", "demo", "demo-secret", transport=transport)


def drops(count: int) -> tuple[list[bytes], list[bytes]]:
    """(what the catalogue has, the load)."""
    old = count * 3 // 4
    base = [volume(n, f"Volume {n}", "20260101000000.0", ["A note"]) for n in range(old)]
    load = []
    for n in range(count):
        changes = n % 3 < 2 and n < old
        revised = " revised" if changes and n % 2 else ""
        notes = ["Fogs"] if changes and not n % 2 else ["A note"]
        load.append(volume(n, f"Volume {n}{revised}", "20260201000000.0" if changes else "20260101000000.0", notes))
    return base, load


def with_holdfast(folder: Path, url: str, partition: str, quota: float) -> int:
    """Write what is planned; how many changes."""
    services = json.loads((folder / "services.json").read_text())
    postgres = Postgres(services["postgres"])
    redis = Redis(services["redis"], namespace="benchmark")
    ils = client(url, Quota(quota))
    with contextlib.closing(postgres), contextlib.closing(redis), contextlib.closing(ils):
        applied = apply_load(Lake(folder / "lake"), partition, ils, postgres, redis, Ils())
    if applied.waiting:
        raise RuntimeError(applied.waiting)
    return applied.now


def with_get_and_put(folder: Path, url: str, partition: str, quota: float) -> int:
    """The script: all of the load, one record after the other; how many of them were changes."""
    lake = Lake(folder / "lake")
    plan = lake.read("change_plan", partition)
    patches: dict[int, tuple[list[tuple[str, str]], list[tuple[str, str]]]] = {}
    for record, op, tag, text in (
        lake.read("change_plan", partition, "patches").select("record", "op", "tag", "text").iter_rows()
    ):
        patches.setdefault(record, ([], []))[op == "add"].append((tag, text))
    targets = lake.read("matched_records", partition).select("record", "target").iter_rows()
    actions = {row["record"]: row for row in plan.iter_rows(named=True)}
    with httpx.Client(base_url=url, headers={"X-Okapi-Tenant": "demo"}, transport=Quota(quota), timeout=60) as http:
        login = {"username": "demo", "password": "demo-secret"}
        http.post("/authn/login-with-expiry", json=login).raise_for_status()
        snapshot = str(uuid.uuid4())
        body = {"jobExecutionId": snapshot, "status": "PARSING_IN_PROGRESS"}
        http.post("/source-storage/snapshots", json=body).raise_for_status()
        for record, target in targets:
            planned, (deletes, adds) = actions.get(record), patches.get(record, ([], []))
            if target is None and planned:
                _create(http, snapshot, planned["target"], adds, planned["title"])
            elif target is not None:
                _replace(http, target, deletes, adds)
    return plan.height


def _create(http: httpx.Client, snapshot: str, target: str, fields: list[tuple[str, str]], title: str) -> None:
    kind = "6312d172-f0cf-40f6-b27d-9fa8feaf332f"
    instance = {"id": target, "source": "MARC", "title": title, "instanceTypeId": kind}
    http.post("/instance-storage/instances", json=instance).raise_for_status()
    record_id = str(uuid.uuid4())
    content = to_marc_json([*fields, ("999", f"ff\x1fi{target}\x1fs{record_id}")])
    record = {
        "id": record_id,
        "snapshotId": snapshot,
        "matchedId": record_id,
        "generation": 0,
        "recordType": "MARC_BIB",
        "state": "ACTUAL",
        "rawRecord": {"id": record_id, "content": json.dumps(content)},
        "parsedRecord": {"id": record_id, "content": content},
        "externalIdsHolder": {"instanceId": target},
    }
    http.post("/source-storage/records", json=record).raise_for_status()


def _replace(http: httpx.Client, target: str, deletes: list[tuple[str, str]], adds: list[tuple[str, str]]) -> None:
    instance = http.get(f"/instance-storage/instances/{target}").raise_for_status().json()
    title = next((text.split("\x1fa")[1] for tag, text in adds if tag == "245"), instance["title"])
    http.put(f"/instance-storage/instances/{target}", json={**instance, "title": title}).raise_for_status()
    found = http.get(f"/source-storage/records/{target}/formatted", params={"idType": "INSTANCE"}).raise_for_status()
    record = found.json()
    gone = {(tag, text) for tag, text in deletes}
    added = to_marc_json([("LDR", record["parsedRecord"]["content"]["leader"]), *adds])["fields"]
    tags = {tag for tag, _ in gone}
    content = record["parsedRecord"]["content"]
    content["fields"] = [each for each in content["fields"] if not tags & each.keys()] + added
    record["rawRecord"] = {"id": record["id"], "content": json.dumps(content)}
    http.put(f"/source-storage/records/{record['id']}", json=record).raise_for_status()


WAYS: dict[str, Callable[[Path, str, str, float], int]] = {OURS: with_holdfast, NAIVE: with_get_and_put}


def lay_out(folder: Path, url: str, count: int) -> str:
    """An empty library gets its catalogue, and the load is planned against it; the load's partition."""
    httpx.post(f"{url}/_demo/reset").raise_for_status()
    base, load = drops(count)
    lake, ils = Lake(folder / "lake"), client(url)
    postgres = Postgres(json.loads((folder / "services.json").read_text())["postgres"])
    with contextlib.closing(ils), contextlib.closing(postgres):
        plan = plan_load(lake, "base", base, [], postgres)
        units: list[Unit] = list(units_of(plan, lake.read("change_plan", "base", "patches")))
        for at in range(0, len(units), 100):
            ils.write(units[at : at + 100], {})
        live: list[Live] = live_of(ils)
        partition = f"load-{uuid.uuid4()}"
        plan_load(lake, partition, load, live, postgres)
    return partition


def run(way: str, folder: Path, url: str, count: int, quota: float) -> None:
    """One measurement: prepares, times, and writes down what the library's log says of it."""
    partition = lay_out(folder, url, count)
    seen = httpx.get(f"{url}/_demo/requests", params={"limit": 1_000_000}).json()["entries"]
    with clock() as took:
        changes = WAYS[way](folder, url, partition, quota)
    entries = httpx.get(f"{url}/_demo/requests", params={"limit": 1_000_000}).json()["entries"][len(seen) :]
    mine = [each for each in entries if not each["path"].startswith("/_demo")]
    lake = Lake(folder / "lake")
    planned = set(lake.read("change_plan", partition)["correlation_id"])
    idle = set(lake.read("matched_records", partition)["correlation_id"]) - planned
    unchanged = lake.read("matched_records", partition).filter(verdict="unchanged")
    of_idle = sum(
        bool(idle & set(each["correlationIds"])) or any(t in each["path"] for t in unchanged["target"]) for each in mine
    )
    figures = {
        "way": way,
        "changes": changes,
        "requests": len(mine),
        "writes": sum(each["method"] != "GET" and "source-records" not in each["path"] for each in mine),
        "of_unchanged": of_idle,
        "unchanged": unchanged.height,
        "share": len(mine) / (took[0] * quota),
        "statuses": Counter(str(each["status"] // 100) for each in mine),
    }
    with (folder / "figures.jsonl").open("a") as file:
        file.write(json.dumps(figures) + "\n")
    report(took[0], changes)


def _summaries(figures: list[dict[str, Any]], value: Callable[[dict[str, Any]], float]) -> list[Summary]:
    found = []
    for way in WAYS:
        values = [value(each) for each in figures if each["way"] == way]
        middle = statistics.median(values)
        found.append(Summary(way, middle, (max(values) - min(values)) / middle if middle else 0.0, 0.0, 0))
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.apply", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a fifteenth of the input; ends within 50 seconds")
    parser.add_argument("--quota", type=float, default=60, help="requests a second")
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    count, quota = RECORDS[arguments.quick], arguments.quota
    if arguments.way:
        run(arguments.way, arguments.folder, arguments.url, count, quota)
        return 0
    with tempfile.TemporaryDirectory(prefix="holdfast-apply-") as name:
        folder = Path(name)
        demo = DemoIls(folder / "ils")
        try:
            services = start(folder)
            (folder / "services.json").write_text(
                json.dumps({"postgres": services.postgres_url, "redis": services.redis_url})
            )
            postgres = Postgres(services.postgres_url)
            postgres.migrate()
            postgres.close()
            size = ["--quick"] if arguments.quick else []
            own = ["--folder", name, "--url", demo.url, "--quota", str(quota), *size]
            contenders = [
                Contender(way, [sys.executable, "-m", "benchmarks.apply", "--way", way, *own]) for way in WAYS
            ]
            samples = run_rounds(contenders)
            figures = [json.loads(line) for line in (folder / "figures.jsonl").read_text().splitlines()]
        finally:
            demo.kill()
            stop(folder)
    what = f"{count:,} records, three quarters of them changed or new, {quota:g} requests a second"
    peaks = {way: max(each.peak_mib for each in samples[way]) for way in WAYS}
    results = []
    for title, unit, rate, value in (
        (what, "changed records/s", True, None),
        (f"{what}: requests", "requests a changed record", False, lambda each: each["requests"] / each["changes"]),
        (f"{what}: for nothing", "requests a record that did not change", False, _for_nothing),
        (f"{what}: quota", "share of the quota used", True, lambda each: each["share"]),
    ):
        if value is None:
            found = [
                Summary(way, statistics.median(each.count / each.seconds for each in samples[way]), 0.0, peaks[way], 0)
                for way in WAYS
            ]
        else:
            found = _summaries(figures, value)
        own_lines = _lines(title, found, rate, unit, peaks[OURS])
        results.append((_table(title, found, rate, unit), own_lines))
    show(results, ["httpx", "psycopg", "redis"])
    return 0


def _for_nothing(figures: dict[str, Any]) -> float:
    return figures["of_unchanged"] / figures["unchanged"]


def _lines(title: str, found: list[Summary], rate: bool, unit: str, peak: float) -> list[dict[str, Any]]:
    """As measure.lines; where ours is 0 of what is better the less, no ratio says by how much."""
    ours, theirs = found
    if ours.value:
        return [{**each, "peak_mib": round(peak)} for each in lines("apply", title, found, rate=rate, unit=unit)]
    whole = {"benchmark": "apply", "input": title, "peer": theirs.name, "ratio": None, "ours": 0}
    return [{**whole, "theirs": round(theirs.value or 0, 3), "unit": unit, "peak_mib": round(peak)}]


def _table(title: str, found: list[Summary], rate: bool, unit: str) -> str:
    if found[0].value:
        return table(title, found, rate=rate, unit=unit)
    rows = [f"| {each.name} | {each.value:,.3g} |" for each in found if each.value is not None]
    return "\n".join([f"**{title}**", "", f"| | {unit} |", "|---|--:|", *rows])


if __name__ == "__main__":
    sys.exit(main())
