"""A hundred random `kill -9` while 5,000 changes are written: each is done once, and the audit log is the plan."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tests.demo_ils import DemoIls
from tests.faults.killing import Place, kill_and_write

pytestmark = [pytest.mark.services, pytest.mark.faults]


@pytest.mark.timeout(900)  # a minute and a half on a quiet machine
def test_a_hundred_kills_while_5000_changes_are_written_cost_none_and_double_none(
    demo_ils: DemoIls, database_url: str, redis_url: str, tmp_path: Path
) -> None:
    seed = int(os.environ.get("HOLDFAST_TEST_SEED") or random.randrange(10**6))
    print(f"HOLDFAST_TEST_SEED={seed}")
    place = Place(tmp_path / "lake", database_url, redis_url, demo_ils.url, f"kills-{seed}")
    print(kill_and_write(place, demo_ils, seed, most=800))
