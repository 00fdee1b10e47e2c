from __future__ import annotations

import datetime as dt
import json

import pytest

from commands.main import main
from resources.postgres.client import Postgres
from resources.search.client import Search
from tests.resources.search.museum_frames import objects


@pytest.fixture
def catalogue(postgres: Postgres, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_POSTGRES_URL", database_url)
    monkeypatch.delenv("HOLDFAST_ELASTICSEARCH_URL", raising=False)
    titles = {"1": "The \x9b[31m Ancient of Days", "2": "Pity"}
    Search(postgres).switch(
        "prints", dt.date(2026, 11, 20), objects(titles, creator=("Blake, William",), medium=("Watercolour",))
    )


@pytest.mark.services
@pytest.mark.usefixtures("catalogue")
def test_a_person_gets_two_lines_a_hit(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["search", "blake watercolour", "--limit", "1"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert "prints/" in first
    assert "Blake, William" in first
    assert "Watercolour" in second


@pytest.mark.services
@pytest.mark.usefixtures("catalogue")
def test_catalogue_text_does_not_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["search", "ancient"]) == 0
    assert "\x9b" not in capsys.readouterr().out


@pytest.mark.services
@pytest.mark.usefixtures("catalogue")
def test_a_program_gets_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["search", "pity", "--json", "--collection", "prints"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["identifier"] == "2"


@pytest.mark.services
@pytest.mark.usefixtures("catalogue")
def test_nothing_found_is_exit_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["search", "absent"]) == 1
    assert "nothing has 'absent'" in capsys.readouterr().err


def test_a_limit_out_of_bounds_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["search", "x", "--limit", "0"])
    assert "from 1 to 200" in capsys.readouterr().err


def test_without_a_database_the_variable_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("HOLDFAST_POSTGRES_URL", raising=False)
    assert main(["search", "x"]) == 2
    assert "HOLDFAST_POSTGRES_URL is not set" in capsys.readouterr().err
