from __future__ import annotations

import pytest

from holdfast.museum.dublin_core import DublinCore
from holdfast.museum.elements import ELEMENTS
from holdfast.settings import SettingsError, load_settings, parse_settings


def test_every_element_is_a_field_of_dublin_core() -> None:
    fields = {field.alias or name for name, field in DublinCore.model_fields.items()}
    assert fields == set(ELEMENTS)


def test_an_element_that_is_none_names_the_one_that_was_meant() -> None:
    text = """
[library]
name = "L"
[sources.s]
[collections.prints]
format = "csv"
columns = {identifier = "id", title = "title", createor = "artist"}
"""
    with pytest.raises(SettingsError, match=r"createor: no such element .* did you mean 'creator'\?"):
        parse_settings(text)


def test_the_settings_of_the_repository_name_elements_only() -> None:
    assert {"prints", "objects"} <= load_settings().collections.keys()
