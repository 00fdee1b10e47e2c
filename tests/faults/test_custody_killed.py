"""A run that dies while it takes a page into custody."""

from __future__ import annotations

import hashlib
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from holdfast.preservation.fixity import Digest
from resources.masters.client import Masters

pytestmark = pytest.mark.faults

TAKE_AND_HANG = """
import sys, time
from pathlib import Path
from holdfast.preservation.fixity import Digest
from resources.masters.client import Masters

def hang(opened):
    print("inspecting", flush=True)
    time.sleep(60)

root, source, sha256, size = sys.argv[1:]
with open(source, "rb") as file:
    Masters(Path(root)).take_in("b", "1.tif", file.fileno(), Digest(sha256, int(size)), inspect=hang)
"""


def test_a_killed_run_leaves_no_half_master_and_the_next_one_takes_the_page(tmp_path: Path) -> None:
    data = b"page" * 500_000
    expected = Digest(hashlib.sha256(data).hexdigest(), len(data))
    source = tmp_path / "source"
    source.write_bytes(data)
    command = [sys.executable, "-c", TAKE_AND_HANG, tmp_path, source, expected.sha256, str(expected.bytes)]
    with subprocess.Popen([str(each) for each in command], stdout=subprocess.PIPE) as process:
        assert process.stdout and process.stdout.readline() == b"inspecting\n"
        process.send_signal(signal.SIGKILL)

    store = Masters(tmp_path)
    assert store.digest("b", "1.tif") is None
    with source.open("rb") as file:
        assert store.take_in("b", "1.tif", file.fileno(), expected, inspect=lambda _: None) is True
    assert store.digest("b", "1.tif") == expected
