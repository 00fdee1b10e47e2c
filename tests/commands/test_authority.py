"""`holdfast authority what-if`: says what a file would touch, and changes nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from commands.main import main
from holdfast.settings import load_settings
from resources.authorities.client import AuthorityFolder
from resources.authorities.lake import load_authorities
from resources.lake.client import Lake
from tests.authorities import authority, frames, heading_record

TEXT = '[library]\nname = "L"\n[sources.a]\n[authorities.lcsh]\nthesaurus = "lcsh"\n'
PARTITION = "2026-01-05|a"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A library that has one authority loaded, and a record with its heading in a partition."""
    path = tmp_path / "holdfast.toml"
    path.write_text(TEXT)
    settings = load_settings(path)
    folder = settings.authority_files / "lcsh"
    folder.mkdir(parents=True)
    (folder / "a.mrc").write_bytes(authority("sh1", ("150", "  ", "a", "Gipsies")))
    lake = Lake(settings.var / "lake")
    load_authorities(lake, AuthorityFolder(settings))
    with lake.replace("normalized_records", PARTITION) as writer:
        writer.write("subfields", frames(heading_record("1", ("650", " 0", "a", "Gipsies."))).subfields)
    return path


def new_file(config: Path) -> Path:
    path = config.parent / "new.mrc"
    path.write_bytes(authority("sh1", ("150", "  ", "a", "Romanies"), ("450", "  ", "a", "Gipsies")))
    return path


def test_it_names_changes_and_headings(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["authority", "what-if", str(new_file(config)), "--partition", PARTITION, "--config", str(config)])
    said = capsys.readouterr().out
    assert code == 1
    assert "1 changed heading" in said and "Romanies" in said
    assert "Headings that would be linked otherwise: 1, in 1 records." in said


def test_as_json_a_line_each(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [
        "authority",
        "what-if",
        str(new_file(config)),
        "--partition",
        PARTITION,
        "--config",
        str(config),
        "--json",
    ]
    assert main(arguments) == 1
    change, touched = map(json.loads, capsys.readouterr().out.splitlines())
    assert change["authority_change"]["change"] == "changed heading"
    assert touched["touched"]["authorized_after"] == "Romanies"


def test_the_same_file_touches_nothing(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    same = load_settings(config).authority_files / "lcsh" / "a.mrc"
    assert main(["authority", "what-if", str(same), "--partition", PARTITION, "--config", str(config)]) == 0
    assert "Authorities that change: none." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--name", "mesh"], "--name mesh: not in holdfast.toml (authority files: lcsh)"),
        (["--partition", "2020-01-01|a"], "materialize normalized_records first"),
    ],
)
def test_what_is_wrong_is_said(config: Path, capsys: pytest.CaptureFixture[str], more: list[str], said: str) -> None:
    assert main(["authority", "what-if", str(new_file(config)), "--config", str(config), *more]) == 2
    assert said in capsys.readouterr().err


def test_a_file_without_authorities_is_no_file_to_compare(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    empty = config.parent / "empty.mrc"
    empty.write_bytes(heading_record("1", ("245", "00", "a", "A book")))
    assert main(["authority", "what-if", str(empty), "--config", str(config)]) == 2
    assert "no authority record" in capsys.readouterr().err
    assert main(["authority", "what-if", str(config.parent / "none.mrc"), "--config", str(config)]) == 2
    assert "no such file" in capsys.readouterr().err
