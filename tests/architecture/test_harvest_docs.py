"""The examples of docs/how-to/harvest.md are right, and its names are the code's."""

from __future__ import annotations

import re

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
