"""Runs the job `feed_load` on files of today, in this process or in one of its own, and looks at what came out."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import dagster as dg

from catalog_assets.definitions import build_defs
from catalog_assets.partitions import SETTINGS
from tests.catalogue_load import DAY, Loaded, assert_conserved, in_a_process
from tests.demo_ils import DemoIls

ALL = ("feed_drops", "feed_plan", "feed_commits")
BOOK, CAN_CIRCULATE = "1a54b431-2e4f-452d-9cae-9cee66c9a892", "2b94c631-fca9-4892-a730-03ee529ffe27"
UNDERGRAD, STAFF = "bdc2b6d4-5ceb-4a12-ab46-249b9a68473e", "3684a786-6671-4268-8ed0-9db82ebca60b"
HEAD = "matriculation,card,login,family_name,given_name,mail,born,status,until\n"


def feed_partition(feed: str = "students") -> str:
    return f"{DAY.date().isoformat()}|{feed}"


def put(data: str | bytes, name: str = "students.csv", feed: str = "students", later: float = 0) -> Path:
    """A file in the feed's folder, changed on DAY, so many seconds after noon."""
    folder = SETTINGS.feed_drops / feed
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    os.utime(path, (DAY.timestamp() + later, DAY.timestamp() + later))
    return path


def student(number: int, family: str = "", until: str = "30.09.2031", status: str = "undergrad", **more: str) -> str:
    """A row of the students' feed."""
    cells = {"card": f"C{number:06d}", "login": f"login{number}", "given": "Ada", "mail": "", "born": "01.02.2003"}
    cells |= more
    values = (f"M{number:06d}", cells["card"], cells["login"], family or f"Family{number}", cells["given"])
    return ",".join((*values, cells["mail"], cells["born"], status, until)) + "\n"


class FeedLoaded(Loaded):
    last = "feed_commits"

    def metadata(self, asset: str) -> dict[str, Any]:
        (event,) = self.result.asset_materializations_for_node(asset)
        return {name: each.value for name, each in event.metadata.items()}

    @property
    def waits_for(self) -> str:
        return self.checks["feed_commits.all_planned_is_written"].description or ""


def feed_load(
    feed: str = "students", only: tuple[str, ...] = ALL, instance: dg.DagsterInstance | None = None
) -> FeedLoaded:
    """The job in this process; with `only`, these assets of it."""
    key = dg.MultiPartitionKey({"feed": feed, "day": DAY.date().isoformat()})
    given: dict[str, Any] = {"partition_key": key, "raise_on_error": False}
    given["asset_selection"] = [dg.AssetKey(each) for each in only]
    job = build_defs().resolve_job_def("feed_load")
    if instance is not None:
        return FeedLoaded(job.execute_in_process(instance=instance, **given), feed)
    with dg.DagsterInstance.ephemeral() as made:
        return FeedLoaded(job.execute_in_process(instance=made, **given), feed)


def fine_feed(
    feed: str = "students", only: tuple[str, ...] = ALL, instance: dg.DagsterInstance | None = None
) -> FeedLoaded:
    """`feed_load`, which must succeed with every conservation check passed."""
    loaded = feed_load(feed, only, instance)
    assert_conserved(loaded)
    return loaded


def start_feed_load(feed: str = "students", *, chunk_records: int = 3) -> subprocess.Popen[bytes]:
    """The job in a process of its own, to be killed; it ends with 0 where the run succeeds."""
    pace = f"chunk_records = {chunk_records}\nprogress_records = 100\nlease_seconds = 2\n"
    return in_a_process(f"from tests.feed_load import feed_load\nloaded = feed_load({feed!r})", pace)


# ---- what is in the library system --------------------------------------------------------------------------------------


def users(ils: DemoIls) -> dict[str, dict[str, Any]]:
    found = ils.call("GET", "/users", params={"limit": 1000}).json()["users"]
    return {each["externalSystemId"]: each for each in found if each.get("externalSystemId")}


def add_user(ils: DemoIls, number: int, group: str = UNDERGRAD, **more: Any) -> dict[str, Any]:
    body = {
        "username": f"login{number}", "externalSystemId": f"M{number:06d}", "barcode": f"C{number:06d}", "active": True,
        "patronGroup": group, "expirationDate": "2031-09-30T23:59:59.000+00:00",
        "personal": {"lastName": f"Family{number}", "firstName": "Ada", "dateOfBirth": "2003-02-01T00:00:00.000+00:00"},
    } | more  # fmt: skip
    answer = ils.call("POST", "/users", json=body)
    answer.raise_for_status()
    return dict(answer.json())


def lay_shelf(ils: DemoIls) -> None:
    """An instance, a holdings record with number ho1, and two items."""
    made: dict[str, Any] = {"source": "FOLIO", "title": "T", "instanceTypeId": BOOK, "hrid": "in00000000001"}
    instance = ils.call("POST", "/instance-storage/instances", json=made).json()
    made = {
        "hrid": "ho1",
        "instanceId": instance["id"],
        "sourceId": BOOK,
        "permanentLocationId": location(ils, "E"),
    }
    holdings = ils.call("POST", "/holdings-storage/holdings", json=made | {"formerIds": ["h-100"]}).json()
    for number in (1, 2):
        body = {"holdingsRecordId": holdings["id"], "materialTypeId": BOOK, "permanentLoanTypeId": CAN_CIRCULATE}
        body |= {"barcode": f"39{number}", "status": {"name": "Checked out"}, "itemLevelCallNumber": "old"}
        ils.call("POST", "/item-storage/items", json=body).raise_for_status()


def location(ils: DemoIls, code: str) -> str:
    found = ils.call("GET", "/locations", params={"limit": 100}).json()["locations"]
    return next(str(each["id"]) for each in found if each["code"] == code)


def listed(ils: DemoIls, path: str, name: str) -> list[dict[str, Any]]:
    return list(ils.call("GET", path, params={"limit": 1000}).json()[name])
