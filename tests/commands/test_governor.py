"""`holdfast governor` says how it stands, and by its exit code whether the library system is left alone."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from commands.main import main
from holdfast.environment import read_environment
from holdfast.settings import load_settings
from resources.governor.resource import governor_of
from resources.redis.client import Redis, namespace_of
from tests.demo_ils import DemoIls

pytestmark = pytest.mark.services
CONFIG = """
sources = {}
library = {name = "Library", timezone = "Europe/Vienna"}
[ils.quota]
per_second = 25
per_day = 10000
[ils.circuit]
failures = 2
[ils.readers]
url = "http://opac.test/search"
"""


def test_it_says_how_it_stands(library: DemoIls, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "holdfast.toml"
    config.write_text(CONFIG)
    settings, environment = load_settings(config), read_environment()
    assert main(["governor", "--config", str(config)]) == 0
    said = capsys.readouterr().out
    assert "25 of 25 requests a second, 8 in flight at most" in said
    assert "0 of 10,000 requests used on" in said and "closed: it answers" in said
    assert "no load runs, so nobody watches" in said

    redis = Redis(environment.need("HOLDFAST_REDIS_URL"), namespace=namespace_of(settings))
    with contextlib.closing(redis):
        governor = governor_of(settings, environment, redis)
        governor._watch = None  # nobody answers at its address
        turn = governor.turn("GET /a")
        turn.answered(429, {"X-Exl-Api-Remaining": "1234"}, turn.began, 90)
        with contextlib.closing(governor):
            main(["governor", "--config", str(config)])
    said = capsys.readouterr().out
    assert "1 of 10,000" in said and "1,234 left, says the library system" in said
    assert "from 1 worker of the last minute" in said
    assert "pause           90 s" in said or "pause           89 s" in said


def test_an_open_circuit_is_an_exit_code(library: DemoIls, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "holdfast.toml"
    config.write_text(CONFIG.replace("http://opac.test/search", ""))
    settings, environment = load_settings(config), read_environment()
    redis = Redis(environment.need("HOLDFAST_REDIS_URL"), namespace=namespace_of(settings))
    with contextlib.closing(redis), contextlib.closing(governor_of(settings, environment, redis)) as governor:
        for _ in range(2):
            governor.turn("GET /a").failed()
    assert main(["governor", "--config", str(config)]) == 1
    said = capsys.readouterr().out
    assert "open: it is left alone, and tried again in" in said and "ils.readers.url is empty" in said


def test_without_redis_it_says_so(
    library: DemoIls, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "holdfast.toml"
    config.write_text(CONFIG)
    monkeypatch.setenv("HOLDFAST_REDIS_URL", "unix:///nowhere/redis.sock?password=hidden")
    assert main(["governor", "--config", str(config)]) == 1
    said = capsys.readouterr().out
    assert "Redis is away" in said and "hidden" not in said
