"""All of holdfast.toml: what its tables ask of each other."""

from __future__ import annotations

import pytest

from holdfast.settings import Settings, parse_settings

LEAST = '[library]\nname = "L"\n[sources.ebooks]\n'


def test_a_source_without_a_budget_has_the_default_one() -> None:
    settings = parse_settings(LEAST + "[sources.own]\n[budgets.default]\nchanges = 7\n[budgets.own]\nchanges = 1\n")
    assert settings.budget_of("ebooks").changes == 7
    assert settings.budget_of("own").changes == 1


def test_settings_cant_be_changed_in_passing() -> None:
    settings: Settings = parse_settings(LEAST)
    with pytest.raises(ValueError, match="frozen"):
        settings.library = settings.library


def test_what_the_library_system_keeps_for_itself_is_protected_in_every_source() -> None:
    text = '[library]\nname = "L"\n[ils]\nadapter = "koha"\n[sources.a]\nprotected = ["59X", "952"]\n[sources.b]\n'
    sources = parse_settings(text).sources
    usual = parse_settings(text.replace("koha", "folio")).sources["b"].protected
    assert sources["a"].protected == ("59X", "952", "942", "999")
    assert sources["b"].protected == (*usual, "942", "952", "999")
