"""Names, tags and indicators of settings: the whole text has to match, and digits are those of ASCII."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from holdfast.naming import FieldSpec, Indicator, Indicators, Name, NumberedSpec, TagPattern


@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [
        (Name, ["a", "own_2", "a" * 40], ["", "2a", "A", "a|b", "a/b", "a" * 41, "a\n"]),
        (TagPattern, ["650", "65X", "6XX", "AVA", "LDR"], ["6X0", "XXX", "65", "650$a", "650\n", "\u0666\u0665\u0660"]),
        (FieldSpec, ["541$h", "59X", "AVA$a", "9XX$9"], ["541h", "541$", "541$hh", "541$H", "541$h\n"]),
        (NumberedSpec, ["245$a", "245", "24X"], ["AVA", "LDR", "245\n", "\u0662\u0664\u0665"]),
        (Indicator, [" ", "0", "a"], ["", "A", "01", "\u0661"]),
        (Indicators, [" ", " 14"], ["", "A", "1\n"]),
    ],
    ids=["name", "tags", "field", "numbered field", "indicator", "indicators"],
)
def test_the_whole_of_a_name_is_held_to_its_form(kind: Any, right: list[str], wrong: list[str]) -> None:
    form = TypeAdapter(kind)
    assert [form.validate_python(each) for each in right] == right
    for each in wrong:
        with pytest.raises(ValidationError, match="must be "):
            form.validate_python(each)
