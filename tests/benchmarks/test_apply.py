"""A comparison is fair only where both ways leave the same catalogue behind."""

from __future__ import annotations

import json
import time
from pathlib import Path

import httpx
import pytest

from benchmarks.apply import NAIVE, OURS, Quota, lay_out, run
from resources.lake.client import Lake
from tests.demo_ils import DemoIls

pytestmark = pytest.mark.services


def test_both_ways_write_the_same_and_only_ours_asks_nothing_for_what_did_not_change(
    demo_ils: DemoIls, database_url: str, redis_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "services.json").write_text(json.dumps({"postgres": database_url, "redis": redis_url}))
    left = []
    for way in (OURS, NAIVE):
        run(way, tmp_path, demo_ils.url, 16, 10_000)
        records = []
        for each in demo_ils.instances():
            fields = [(tag, text) for tag, text in demo_ils.marc(each["id"]) if tag not in ("001", "003", "005", "999")]
            records.append((each["title"], sorted(fields)))
        left.append(sorted(records))
    assert left[0] == left[1]
    ours, theirs = (json.loads(line) for line in (tmp_path / "figures.jsonl").read_text().splitlines())
    assert ours["changes"] == theirs["changes"] == 12
    assert ours["of_unchanged"] == 0 < theirs["of_unchanged"]
    assert ours["requests"] < theirs["requests"]
    assert ours["writes"] <= 2 * 12
    assert ours["statuses"].keys() == theirs["statuses"].keys() == {"2"}


def test_the_quota_is_kept(demo_ils: DemoIls) -> None:
    """Of what the bucket lets through in a second there is never more than agreed, and a tenth."""
    moments = []
    with httpx.Client(transport=Quota(50)) as http:
        for _ in range(40):
            http.get(f"{demo_ils.url}/_demo/state")
            moments.append(time.monotonic())
    assert moments[-1] - moments[0] >= (len(moments) - 1 - 5) / 50 - 0.02


def test_the_load_is_a_quarter_new_half_changed_and_a_quarter_as_it_was(
    demo_ils: DemoIls, database_url: str, redis_url: str, tmp_path: Path
) -> None:
    (tmp_path / "services.json").write_text(json.dumps({"postgres": database_url, "redis": redis_url}))
    partition = lay_out(tmp_path, demo_ils.url, 16)
    plan = Lake(tmp_path / "lake").read("change_plan", partition)
    assert dict(plan.group_by("action").len().iter_rows()) == {"create": 4, "update": 8}
