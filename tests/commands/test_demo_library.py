"""The demo library for `holdfast run`: with FOLIO, and with a Koha."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from commands.demo_library import lay_out_samples
from commands.main import main
from holdfast.settings import Settings, load_settings
from resources.ils.feeds import check_feeds
from tests.conftest import ROOT

KOHA = ROOT / "demo" / "koha" / "holdfast.toml"


def test_the_demo_with_a_koha_is_the_demo_but_for_what_koha_has_no_place_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOLDFAST_VAR", raising=False)
    demo, koha = load_settings(ROOT / "holdfast.toml"), load_settings(KOHA)
    check_feeds(koha)
    assert (koha.ils.adapter, koha.ils.name) == (
        "koha",
        "koha-demo",
    )  # by its name the ledger knows it, whatever its port
    assert koha.var == ROOT / "var" / "koha"
    own = {"root", "ils", "paths", "feeds", "sources"}
    assert {name for name in Settings.model_fields if getattr(koha, name) != getattr(demo, name)} <= own
    alike = {"title": "", "protected": ()}  # Koha's own fields are protected, too
    for name, source in koha.sources.items():
        assert source.model_copy(update=alike) == demo.sources[name].model_copy(update=alike)
    assert set(demo.feeds) - set(koha.feeds) == {"serials"}
    for name, feed in koha.feeds.items():
        assert feed.columns.items() <= demo.feeds[name].columns.items()
        given = {"columns": {}, "constants": {}}
        assert feed.model_copy(update=given) == demo.feeds[name].model_copy(update=given)


def test_samples_that_the_library_system_has_no_place_for_are_left_out_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOLDFAST_VAR", str(tmp_path))
    said: list[str] = []
    lay_out_samples(load_settings(KOHA), os.environ | {"PYTHONPATH": str(ROOT)}, said.append)
    assert said[1:] == ["feeds/serials is left out: koha has no holdings records"]
    assert {each.name for each in (tmp_path / "drops" / "feeds").iterdir()} == {"students", "shelving"}
    assert {each.name for each in (tmp_path / "drops" / "marc").iterdir()} == {"ebooks", "consortium"}


def test_feeds_that_do_not_fit_end_it_before_anything_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOLDFAST_VAR", str(tmp_path / "var"))
    config = tmp_path / "holdfast.toml"
    config.write_text((ROOT / "holdfast.toml").read_text() + '\n[ils]\nadapter = "koha"\n')
    assert main(["run", "--once", "--config", str(config)]) == 2
    said = capsys.readouterr().err
    assert "feeds.shelving.columns: volume: koha has no place for it" in said
    assert "feeds.serials.kind: koha has no holdings records (it has: patrons, items)" in said
    assert not (tmp_path / "var").exists()
