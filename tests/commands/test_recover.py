"""Halting and recovering without a browser."""

from __future__ import annotations

import pytest

from catalog_assets.definitions import build_defs
from commands.main import main
from commands.recover import JOBS, form_of


@pytest.mark.services
def test_a_source_is_halted_and_resumed(
    database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOLDFAST_POSTGRES_URL", database_url)
    signed = ["--source", "ebooks", "--who", "Anna", "--why", "noise"]
    assert main(["halt", *signed]) == 0
    assert "halted by Anna because noise (source ebooks" in capsys.readouterr().out
    assert main(["halt", "--source", "ebooks"]) == 2 and "--who and --why" in capsys.readouterr().err
    assert main(["halt", "--source", "nobody", "--who", "A", "--why", "b"]) == 2
    assert "allowed: consortium, ebooks, own" in capsys.readouterr().err
    assert main(["resume", *signed]) == 0 and main(["resume", *signed]) == 1
    assert main(["halt"]) == 0 and capsys.readouterr().out.endswith("nothing is halted\n")


def test_the_form_is_written_as_key_and_value() -> None:
    assert form_of(["dry_run=false", "entries=[1, 2]", "mend=read_as", "value=9=a"]) == {
        "dry_run": False,
        "entries": [1, 2],
        "mend": "read_as",
        "value": "9=a",
    }


def test_every_job_of_recovery_can_be_launched_with_its_form() -> None:
    for job, op in JOBS.items():
        assert [each.name for each in build_defs().resolve_job_def(job).nodes] == [op]
