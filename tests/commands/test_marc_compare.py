"""`holdfast marc compare`: says what differs, and changes nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from commands.main import main
from holdfast.marc.normalize import VERSION
from holdfast.marc.rulebook import rulebooks
from holdfast.settings import load_settings
from resources.lake.client import Lake
from resources.lake.normalization import normalize_window
from resources.lake.validation import validate_window
from tests.records import book
from tests.resources.lake.windows import DAY, PARTITION, SOURCE, harvest

TEXT = f'[library]\nname = "L"\n[sources.{SOURCE}]\n'
RULE = '[[validation.rules]]\nname = "no_note"\nfields = ["500"]\nforbidden = true\nseverity = "error"\n'
NOTED = (("500", "a", "A note"), ("852", "x", "Ask Mrs. Ward"))


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "holdfast.toml"
    path.write_text(TEXT)
    return path


@pytest.fixture
def changed(tmp_path: Path) -> Path:
    path = tmp_path / "changed.toml"
    path.write_text(TEXT + 'stop_on = ["local.no_note"]\n[masking]\nfields = ["500$a"]\n' + RULE)
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "corpus.mrc"
    path.write_bytes(book("1", fields=NOTED) + book("2", "Hard times") + b"00026nam  no record\x1d")
    return path


@pytest.fixture
def lake(config: Path) -> Lake:
    """A partition as an earlier Holdfast made it."""
    lake = Lake(load_settings(config).var / "lake")
    harvest(lake, [[book("1", fields=NOTED), book("2", "Hard times")]])
    normalize_window(lake, PARTITION, SOURCE, DAY, version="0")
    validate_window(lake, PARTITION, rulebooks(load_settings(config))[SOURCE].rules)
    return lake


def as_json(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    return json.loads(capsys.readouterr().out)


def named(said: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(row["part"], row["name"]): row for row in said["differences"] if row["records"]}


def test_two_files_of_rules_over_a_file_of_records(config: Path, changed: Path, file: Path, capsys: Any) -> None:
    assert main(["marc", "compare", str(file), "--old", str(config), "--new", str(changed), "--json"]) == 0
    said = as_json(capsys)
    found = named(said)
    assert (said["records"], said["differing"]) == (3, 1)
    assert found["issue", "local.no_note"]["new"] == 1 and found["stopped", "in quarantine"]["new"] == 1
    assert found["subfield", "500$a"]["examples"][0]["after"] == "pii:…"
    assert found["subfield", "852$x"]["changed"] == 1  # masked by default, and by the changed rules no more
    assert "Ward" not in str(said) and "A note" not in str(said)


def test_it_fails_on_a_difference_only_if_asked_to(config: Path, changed: Path, file: Path, capsys: Any) -> None:
    arguments = ["marc", "compare", str(file), "--old", str(config), "--fail-on-difference", "--new"]
    assert main([*arguments, str(changed)]) == 1
    said = capsys.readouterr().out
    assert "3 records, 1 differ." in said and "local.no_note" in said and "Ward" not in said
    assert main([*arguments, str(config)]) == 0


def test_what_was_put_aside_is_compared_with_later(
    config: Path, changed: Path, file: Path, tmp_path: Path, capsys: Any
) -> None:
    saved = str(tmp_path / "saved")
    assert main(["marc", "compare", str(file), "--new", str(config), "--save", saved]) == 0
    assert "3 records put aside" in capsys.readouterr().out
    arguments = ["marc", "compare", str(file), "--against", saved, "--fail-on-difference", "--json", "--new"]
    assert main([*arguments, str(config)]) == 0
    assert as_json(capsys)["differing"] == 0
    assert main([*arguments, str(changed)]) == 1
    assert named(as_json(capsys))["issue", "local.no_note"]["new"] == 1
    file.write_bytes(book("1", fields=NOTED))
    assert main([*arguments, str(config)]) == 1
    assert named(as_json(capsys))["record", "readable"]["gone"] == 2


def test_a_partition_against_what_would_be_made_of_it_now(config: Path, lake: Lake, capsys: Any) -> None:
    versions = lake.version("normalized_records", PARTITION), lake.version("record_issues", PARTITION)
    text = config.read_text()
    config.write_text(text + RULE)
    arguments = ["marc", "compare", "--partition", PARTITION, "--new", str(config), "--json", "--fail-on-difference"]
    assert main(arguments) == 1
    found = named(as_json(capsys))
    assert set(found) == {("issue", "local.no_note")}
    assert (lake.version("normalized_records", PARTITION), lake.version("record_issues", PARTITION)) == versions
    config.write_text(text)
    assert main(arguments) == 0
    assert as_json(capsys)["records"] == 2


def test_rules_over_a_partition_and_what_cannot_be_compared_there(
    config: Path, changed: Path, lake: Lake, capsys: Any
) -> None:
    assert (
        main(["marc", "compare", "--partition", PARTITION, "--old", str(config), "--new", str(changed), "--json"]) == 0
    )
    said = as_json(capsys)
    assert set(named(said)) == {("issue", "local.no_note"), ("stopped", "in quarantine")}
    assert "other masking can be compared on files only" in said["notes"][0]


def test_stale_partitions_and_which_of_them_would_change(config: Path, lake: Lake, capsys: Any) -> None:
    arguments = ["marc", "compare", "--stale", "--new", str(config), "--json", "--fail-on-difference"]
    assert main(arguments) == 0
    (row,) = as_json(capsys)["stale"]
    assert (row["asset"], row["why"], row["made_with"], row["now"]) == ("normalized_records", "code", "0", VERSION)
    assert (row["records"], row["would_change"]) == (2, 0)
    config.write_text(config.read_text() + RULE)
    assert main(arguments) == 1
    said = as_json(capsys)
    assert [each["why"] for each in said["stale"]] == ["code", "rules"] and said["would_change"] == 1
    assert main(["marc", "compare", "--stale", "--new", str(config)]) == 0
    assert "1 partitions are stale; of 1 looked at, 1 would change." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Name FILE …, or --partition, or --stale"),
        (["FILE"], "compare FILE with what? Give --old"),
        (["--partition", "x", "--save", "y"], "--save and --against are of FILE"),
        (["missing.mrc", "--old", "CONFIG"], "missing.mrc: no such file"),
        (["FILE", "--old", "CONFIG", "--source", "b"], "--source b: not in"),
        (["FILE", "--against", "nowhere"], "nowhere: nothing was put aside there for ebooks"),
        (["--partition", "2026-01-01"], "must be DAY|SOURCE, as 2026-01-31|ebooks"),
        (["--partition", "2026-01-01|ebooks"], "is not in the lake"),
        (["--partition", "2026-01-01|other"], "other: not a source of holdfast.toml"),
        (["FILE", "--old", "nowhere.toml"], "nowhere.toml: can't be read"),
    ],
)
def test_what_is_wrong_is_said(config: Path, file: Path, capsys: Any, arguments: list[str], said: str) -> None:
    given = [{"FILE": str(file), "CONFIG": str(config)}.get(each, each) for each in arguments]
    assert main(["marc", "compare", *given, "--new", str(config)]) == 2
    assert said in capsys.readouterr().err
