"""The examples of docs/how-to/harvest.md are right, and its names are the code's."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from catalog_assets.definitions import build_defs
from holdfast.harvest.completeness import VERDICTS
from holdfast.settings import parse_settings
from tests.conftest import ROOT

PAGE = (ROOT / "docs/how-to/harvest.md").read_text()
EXAMPLES = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES, ids=[each.splitlines()[0] for each in EXAMPLES])
def test_every_example_is_taken(example: str) -> None:
    own = "" if "[sources." in example else "[sources.s]\n"
    parse_settings(f'[library]\nname = "L"\n{own}{example}')


def test_there_is_an_example_of_each_way() -> None:
    text = "\n".join(EXAMPLES)
    assert all(way in text for way in ("sftp://", "ftps://", "s3://", '"oai-pmh"', '"sru"', "rhythm", "file_day"))


def test_every_verdict_is_explained() -> None:
    assert dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", PAGE, re.MULTILINE)).keys() == VERDICTS.keys()


@pytest.mark.dagster
def test_the_sensors_and_checks_that_it_names_are_there() -> None:
    defs = build_defs()
    names = {each.name for each in defs.sensors or []}
    assert {"marc_drop_sensor", "drop_rhythm_sensor", "harvest_gap_sensor", "completeness_sensor"} <= names
    assert set(re.findall(r"`(\w+_sensor)`", PAGE)) <= names
    checks = {key.name for key in defs.resolve_asset_graph().asset_check_keys}
    assert {"drops_come_as_expected", "complete"} <= checks


@pytest.mark.dagster
def test_a_code_location_with_every_kind_of_source_loads(tmp_path: Path) -> None:
    config = tmp_path / "holdfast.toml"
    own = [each for each in EXAMPLES if "[sources." in each or "[collections." in each]
    config.write_text('[library]\nname = "L"\n' + "\n".join(own))
    code = (
        "import dagster as dg\nfrom catalog_assets.definitions import defs\ndg.Definitions.validate_loadable(defs)\n"
        "print(*sorted(each.name for each in defs.sensors), *sorted(each.name for each in defs.schedules))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        cwd=ROOT,
        env={**os.environ, "HOLDFAST_CONFIG": str(config), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    names = done.stdout.split()
    assert [each for each in names if each.startswith("drop_site_")] == [
        "drop_site_bucket",
        "drop_site_oldvendor",
        "drop_site_vendor",
    ]
    assert {"completeness_union", "completeness_catalogue", "nightly_union", "museum_paintings_nightly"} <= set(names)
