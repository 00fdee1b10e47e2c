"""Names that others gave."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.harvest.file_names import day_in_name, refusal, shown_name


@pytest.mark.parametrize(
    ("pattern", "name", "day"),
    [
        (r"_(?P<day>\d{8})\.", "ebooks_20260310.mrc", dt.date(2026, 3, 10)),
        (r"(?P<day>\d{4}-\d\d-\d\d)", "x.2026-03-10T0200.mrc", dt.date(2026, 3, 10)),
        (r"(?P<day>\d{6})", "d260310", dt.date(2026, 3, 10)),
        (r"(?P<date>\d\d)(?P<month>\d\d)(?P<year>\d{4})", "10032026.mrc", dt.date(2026, 3, 10)),
        (r"_(?P<day>\d{8})\.", "ebooks_20260230.mrc", None),
        (r"_(?P<day>\d{8})\.", "ebooks.mrc", None),
        (r"(?P<day>\d+)", "1.mrc", None),
    ],
)
def test_the_day_in_a_name(pattern: str, name: str, day: dt.date | None) -> None:
    assert day_in_name(pattern, name) == day


@given(st.text(max_size=20))
def test_no_name_makes_it_fall_over_and_a_path_is_never_taken(name: str) -> None:
    day_in_name(r"(?P<day>\d{8})|(?P<year>x)", name)
    if "/" in name or "\\" in name or name in ("", ".", ".."):
        assert refusal(name)


@given(st.binary(min_size=1, max_size=20))
def test_any_bytes_can_be_shown(name: bytes) -> None:
    shown_name(name.decode("utf-8", "surrogateescape")).encode()
