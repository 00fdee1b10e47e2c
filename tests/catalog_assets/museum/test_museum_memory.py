"""Memory of the whole flow, in a process of its own."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.dagster, pytest.mark.services]

FLOW = """
import re, sys
from pathlib import Path
import dagster as dg
from catalog_assets.museum.museum_export import museum_export
from catalog_assets.museum.museum_index import museum_index
from catalog_assets.museum.museum_objects import museum_objects
from holdfast.settings import parse_settings
from resources.lake.client import Lake
from resources.museum_exports.client import MuseumExports
from resources.repositories.client import Repositories
from holdfast.environment import read_environment
from resources.postgres.client import Postgres
from resources.search.client import Search

settings = parse_settings(Path(sys.argv[1]).read_text(), root=Path(sys.argv[1]).parent)
exports, postgres = MuseumExports(settings), Postgres(sys.argv[2])
resources = {
    "lake": Lake(settings.var / "lake"), "museum_exports": exports, "postgres": postgres, "search": Search(postgres),
    "repositories": Repositories(settings, read_environment),
}
for day in sorted({file.day for file in exports.listing("prints")}):
    with dg.DagsterInstance.ephemeral() as instance:
        key = dg.MultiPartitionKey({"collection": "prints", "day": day.isoformat()})
        dg.materialize([museum_export, museum_objects, museum_index], partition_key=key, resources=resources, instance=instance)
    # Of this process alone: ru_maxrss remembers that of its parent.
    print("peak", re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1], resources["search"].count())
postgres.close()
"""
TOML = """
[library]
name = "L"
[sources.s]
[collections.prints]
format = "csv"
columns = {identifier = "accession_number", title = "title", creator = "artist", medium = "medium", page_url = "url"}
"""


def test_thirty_times_the_objects_take_hardly_more_memory(tmp_path: Path, database_url: str, data: Path) -> None:
    folder = tmp_path / "var/drops/museum/prints"
    folder.mkdir(parents=True)
    with gzip.open(data / "museum/tate/artwork_data.csv.gz") as file:
        export = file.read()
    few = b"\r\n".join(export.split(b"\r\n")[:2_400]) + b"\r\n"  # 2,000 rows or so
    for name, content, modified in (("a", few, 1_795_000_000), ("b", export, 1_795_100_000)):
        (folder / name).write_bytes(content)
        os.utime(folder / name, (modified, modified))
    (tmp_path / "holdfast.toml").write_text(TOML)
    environment = {**os.environ, "PYTHONPATH": ".", "HOLDFAST_VAR": str(tmp_path / "var")}
    command = [sys.executable, "-c", FLOW, str(tmp_path / "holdfast.toml"), database_url]
    out = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout
    (small, objects_small), (large, objects) = (
        map(int, line.split()[1:]) for line in out.splitlines() if "peak" in line
    )
    assert (objects_small < 2_400, objects) == (True, 69_202)
    print(f"{small / 1024:.0f} MiB for {objects_small} objects, {large / 1024:.0f} MiB for {objects}")
    assert large - small < 100 * 1024
