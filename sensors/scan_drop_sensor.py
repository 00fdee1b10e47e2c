"""Sensor `scan_drop_sensor`: a drop that is complete and still becomes a partition of its own and a run of `digitization`.

The run key is the content of the manifest with the batch's name: the same drop never runs twice, a corrected one of the
same name does. A drop that waits is named in the skip reason with what it waits for; one whose name or manifest is wrong
runs as well, and ends in quarantine where people look.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dagster as dg

from holdfast.preservation import drop
from holdfast.preservation.manifest import NAME, read_manifest
from holdfast.preservation.naming import batch_partition, shown
from holdfast.settings import Settings
from sensors.halting import unless_halted

PARTITIONS = "batch"
JOB = "digitization"
#: A drop that lacks files and has not changed for an hour is taken as it is: its missing pages go to quarantine.
GIVE_UP_SECONDS = 3600.0
#: A tick has 60 seconds; the drops that are over wait for the next one.
_RUNS_A_TICK = 25
_NAMED = 5


@dataclass(frozen=True)
class DropListing:
    """One folder of the scans folder, as it lies there.

    Attributes:
        name: of the folder.
        signature: changes with any length, time or name in it.
        manifest: its bytes; None where it is missing; b"" also where it is too large to be read.
        lengths: bytes of each file but the manifest, by path.
        quiet_seconds: since the last change, by the file system's clock.
    """

    name: str
    signature: str
    manifest: bytes | None
    lengths: Mapping[str, int] = field(default_factory=dict)
    quiet_seconds: float = 0


@dataclass(frozen=True)
class Request:
    batch: str
    run_key: str
    folder: str


@dataclass(frozen=True)
class ScanPlan:
    """Runs to request, what waits ('name: for what'), and the next `seen`."""

    requests: tuple[Request, ...]
    waiting: tuple[str, ...]
    seen: dict[str, dict[str, Any]]


def plan_scans(
    seen: Mapping[str, Mapping[str, Any]],
    listing: Sequence[DropListing],
    *,
    now: float,
    still_seconds: Mapping[str, float],
) -> ScanPlan:
    """Decide what runs.

    Args:
        seen: by folder: `signature`, `since` (when it was first seen so), `done` (run key, once requested).
        listing: every drop folder, with signatures.
        now: seconds; only differences matter.
        still_seconds: by scanner; '' for scanners that are not known.
    """
    requests: list[Request] = []
    waiting: list[str] = []
    known: dict[str, dict[str, Any]] = {}
    for each in listing:
        before = seen.get(each.name, {})
        same = before.get("signature") == each.signature
        state = {
            "signature": each.signature,
            "since": before["since"] if same else now,
            "done": before.get("done", ""),
        }
        known[each.name] = state
        if same and before.get("done_signature") == each.signature:
            known[each.name] = dict(before)
            continue
        still = max(each.quiet_seconds, now - float(state["since"]))
        wait, suffix = _what_it_waits_for(each, still, still_seconds)
        if wait:
            waiting.append(f"{shown(each.name)}: {wait}")
            continue
        batch = batch_partition(each.name)
        run_key = _run_key(batch, each.manifest or b"") + suffix
        if run_key != state["done"] and len(requests) == _RUNS_A_TICK:
            waiting.append(f"{shown(each.name)}: waits for the next tick")
            continue
        if run_key != state["done"]:
            requests.append(Request(batch, run_key, each.name))
        # What was taken incomplete is looked at again: its files may still come.
        state |= {"done": run_key} if suffix else {"done": run_key, "done_signature": each.signature}
    return ScanPlan(tuple(requests), tuple(waiting), known)


def _run_key(batch: str, manifest: bytes) -> str:
    return f"{batch}:{hashlib.sha256(manifest).hexdigest()}"


def _what_it_waits_for(each: DropListing, still: float, still_seconds: Mapping[str, float]) -> tuple[str, str]:
    """(what it waits for, or ''; a suffix of the run key where it is taken although files are missing)."""
    if each.manifest is None:
        return f"waits for {NAME}", ""
    manifest = read_manifest(each.manifest, each.name)
    scanner = manifest.header.scanner_id if manifest.header else ""
    needed = still_seconds.get(scanner, still_seconds.get("", 3.0))
    if still < needed:
        return f"changed {still:.0f} s ago, waits until it is still for {needed:g} s", ""
    short = []
    for page in manifest.pages:
        found = each.lengths.get(page.path)
        # A longer file never gets its declared length: it goes on, and its page to quarantine.
        if page.entry and (found is None or found < page.entry.bytes):
            short.append(
                f"{shown(page.path)} ({'missing' if found is None else f'{found:,} of {page.entry.bytes:,} bytes'})"
            )
    if short and still < GIVE_UP_SECONDS:
        more = f" and {len(short) - 1} more" if len(short) > 1 else ""
        return f"waits for {short[0]}{more}", ""
    return "", ":incomplete" if short else ""


def list_drops(scans: Path, seen: Mapping[str, Mapping[str, Any]], manifest_limit: int) -> Iterator[DropListing]:
    """Every folder in `scans`, with what `plan_scans` wants to know; links and hidden folders are no drops."""
    if not scans.is_dir():
        return
    for entry in sorted(os.scandir(scans), key=lambda each: each.name):
        if not entry.is_dir(follow_symlinks=False) or entry.name.startswith("."):
            continue
        folder = Path(entry.path)
        held = seen.get(entry.name, {})
        stamp = _manifest_stamp(folder)
        # A drop that was requested is read again only when its manifest is another one.
        if held.get("done_signature") and str(held["done_signature"]).startswith(f"{stamp}|"):
            yield DropListing(entry.name, str(held["done_signature"]), None)
            continue
        try:
            yield _list_drop(folder, stamp, manifest_limit)
        except FileNotFoundError:
            continue  # it was removed or renamed while we looked


def _manifest_stamp(folder: Path) -> str:
    try:
        status = (folder / NAME).lstat()
    except OSError:
        return "none"
    return f"{status.st_ino}-{status.st_size}-{status.st_mtime_ns}-{status.st_ctime_ns}"


def _list_drop(folder: Path, stamp: str, manifest_limit: int) -> DropListing:
    hasher = hashlib.sha256()
    lengths: dict[str, int] = {}
    changed = folder.stat().st_mtime
    for path, status in drop.walk(folder):
        hasher.update(f"{path}\0{status.st_size}\0{status.st_mtime_ns}\0".encode("utf-8", "surrogatepass"))
        changed = max(changed, status.st_mtime, status.st_ctime)
        if path != NAME:
            lengths[path] = status.st_size
    read = drop.read_manifest_bytes(folder, manifest_limit)
    manifest: bytes | None = read if isinstance(read, bytes) else None
    if manifest is None and (folder / NAME).is_file():
        manifest = b""  # too large: it runs, and its batch is quarantined
    return DropListing(folder.name, f"{stamp}|{hasher.hexdigest()}", manifest, lengths, time.time() - changed)


def scan_drop_sensor(settings: Settings) -> dg.SensorDefinition:
    """The sensor over `settings.scans`."""
    still = {name: scanner.still_seconds for name, scanner in settings.scanners.items()}
    still[""] = max(still.values(), default=3.0)

    @dg.sensor(
        name="scan_drop_sensor",
        job_name=JOB,
        minimum_interval_seconds=10,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Starts `digitization` for each drop in the scans folder that is complete and still.",
    )
    @unless_halted(queue="compute_intensive")
    def sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        seen = json.loads(context.cursor) if context.cursor else {}
        listing = list(list_drops(settings.scans, seen, settings.limits.manifest_bytes))
        plan = plan_scans(seen, listing, now=time.time(), still_seconds=still)
        return _result(plan)

    return sensor


def _result(plan: ScanPlan) -> dg.SensorResult:
    requests = [
        dg.RunRequest(run_key=each.run_key, partition_key=each.batch, tags={"holdfast/batch": each.batch})
        for each in plan.requests
    ]
    batches = sorted({each.batch for each in plan.requests})
    # Adding a batch that is there already changes nothing.
    additions = [dg.DynamicPartitionsDefinition(name=PARTITIONS).build_add_request(batches)] if batches else []
    skip = None
    if not requests:
        named = "; ".join(plan.waiting[:_NAMED])
        more = f" and {len(plan.waiting) - _NAMED} more" if len(plan.waiting) > _NAMED else ""
        skip = f"{named}{more}" if named else "no new drop"
    return dg.SensorResult(
        run_requests=requests or None,
        skip_reason=skip,
        dynamic_partitions_requests=additions,
        cursor=json.dumps(plan.seen, sort_keys=True),
    )
