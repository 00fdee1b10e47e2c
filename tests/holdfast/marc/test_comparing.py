"""What old and new make of the same records, held against each other."""

from __future__ import annotations

import io
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.marc.comparing import DIFFERENCES, EXAMPLES, Comparison, Made, compare
from holdfast.marc.harvest import index_drop
from holdfast.marc.rulebook import Rulebook
from holdfast.marc.validation import load_rules
from holdfast.marc.validation.local import LocalRule
from holdfast.privacy.masking import MaskingRules
from tests.records import book

BAD_ISBN = "0-306-40615-3"
NONE = MaskingRules((), ())
SECRET = "Ask Mrs. Ward"


def made(
    *records: bytes, rules: Any = None, masking: MaskingRules = NONE, stop_on: tuple[str, ...] = (), first: int = 1
) -> Made:
    book_of = Rulebook(masking, rules or load_rules(), stop_on)
    indexed = index_drop(io.BytesIO(b"".join(records)), "a.mrc", masking, b"salt", first_record=first)
    (index,) = [part.frame for part in indexed]
    return book_of.make(index, source="a", window="2026-01-05")


def differences(comparison: Comparison) -> dict[tuple[str, str], tuple[int, ...]]:
    """(part, name) → (records, gone, new, changed, same)."""
    return {row[:2]: row[2:] for row in comparison.differences.rows()}


def examples(comparison: Comparison, part: str, name: str) -> list[tuple[Any, ...]]:
    chosen = comparison.examples.filter((pl.col("part") == part) & (pl.col("name") == name))
    return chosen.select("record", "before", "after").rows()


def test_the_same_differs_in_nothing() -> None:
    one = made(book("1"), book("2", fields=(("020", "a", BAD_ISBN),)), b"00026nam  no record\x1d")
    total = compare([(one, one)])
    assert (total.records, total.differing, total.same) == (3, 0, True)
    assert total.differences.schema == DIFFERENCES and total.examples.schema == EXAMPLES
    assert total.differences.filter(pl.col("records") > 0).height == 0
    assert differences(total)["issue", "isbn.check_digit"] == (0, 0, 0, 0, 1)


def test_a_column_that_is_made_otherwise_is_counted_and_shown() -> None:
    before = made(book("1", "Bleak house"), book("2", "Hard times"))
    title = pl.when(pl.col("record") == 2).then(pl.col("title").str.to_uppercase()).otherwise("title")
    isbn = pl.when(pl.col("record") == 2).then(pl.lit(["9780306406157"])).otherwise("isbn").alias("isbn")
    after = before._replace(records=before.records.with_columns(title.alias("title"), isbn, pl.lit("x").alias("added")))
    total = compare([(before, after)])
    assert differences(total)["column", "title"] == (1, 0, 0, 1, 0)
    assert examples(total, "column", "title") == [(2, "Hard times", "HARD TIMES")]
    assert examples(total, "column", "isbn") == [(2, "", "9780306406157")]
    assert differences(total)["column", "added"] == (2, 0, 2, 0, 0)
    assert total.differing == 2


def test_subfields_are_compared_by_field_whatever_stands_before_them() -> None:
    before = made(book("1", fields=(("500", "a", "One"), ("650", "a", "Fog"))))
    after = made(book("1", fields=(("500", "a", "New"), ("500", "a", "One"), ("650", "a", "Fog"))))
    found = differences(compare([(before, after)]))
    # The tag's occurrences are compared in their order: the first 500 is another one, the second is new; 650 stays itself.
    assert found["subfield", "500$a"] == (1, 0, 1, 1, 0)
    assert ("subfield", "650$a") not in found


def test_indicators_and_control_fields_are_compared() -> None:
    before, after = made(book("1", ind1=" ", fields=(("852", "a", "X"),))), made(book("1", ind1="1", date="20260202000000.0", fields=(("852", "a", "X"),)))  # fmt: skip
    total = compare([(before, after)])
    assert examples(total, "subfield", "852 ind1") == [(1, " ", "1")]
    assert examples(total, "subfield", "005") == [(1, "20260101000000.0", "20260202000000.0")]


def test_issues_are_gone_new_changed_or_the_same() -> None:
    rule = LocalRule(name="no_note", fields=("500",), forbidden=True, severity="error")
    records = book("1", fields=(("500", "a", "A"),)), book("2", fields=(("020", "a", BAD_ISBN), ("500", "a", "B")))
    before = made(*records, rules=load_rules())
    after = made(*records, rules=load_rules(local=[rule], severity={"isbn.check_digit": "info"}))
    total = compare([(before, after)])
    assert differences(total)["issue", "local.no_note"] == (2, 0, 2, 0, 0)
    assert differences(total)["issue", "isbn.check_digit"] == (1, 0, 0, 1, 0)
    ((record, old, new),) = examples(total, "issue", "isbn.check_digit")
    assert record == 2 and old.startswith("020 (1) $a: warning, ") and new.startswith("020 (1) $a: info, ")
    back = differences(compare([(after, before)]))
    assert back["issue", "local.no_note"] == (2, 2, 0, 0, 0)


def test_records_that_would_be_stopped_are_told() -> None:
    records = book("1"), book("2", fields=(("020", "a", BAD_ISBN),))
    before, after = made(*records), made(*records, stop_on=("isbn.check_digit",))
    total = compare([(before, after)])
    assert differences(total)["stopped", "in quarantine"] == (1, 0, 1, 0, 0)
    assert examples(total, "stopped", "in quarantine") == [(2, None, "stopped")]


def test_a_record_that_one_side_cannot_read_differs_in_that_alone() -> None:
    fine, broken = made(book("1"), book("2")), made(book("1"), b"00026nam  no record\x1d")
    total = compare([(fine, broken)])
    assert [key for key, (records, *_) in differences(total).items() if records and key[0] != "issue"] == [
        ("record", "readable")
    ]
    ((record, old, new),) = examples(total, "record", "readable")
    assert (record, old) == (2, "readable") and new.startswith("marc.")


@pytest.mark.parametrize("turned", [False, True])
def test_what_one_side_masks_the_other_does_not_tell(turned: bool) -> None:
    record = book("1", "Bleak house", fields=(("852", "x", SECRET), ("500", "a", "Tab\there")))
    pair = made(record), made(record, masking=MaskingRules(("852$x", "245$a"), ()))
    before, after = pair[::-1] if turned else pair
    total = compare([(before, after)], examples_each=50)
    assert differences(total)["subfield", "852$x"][0] == 1 and differences(total)["column", "title"][0] == 1
    text = str(total.examples.rows())
    assert SECRET not in text and "bleak" not in text.lower()
    assert sorted(map(str, examples(total, "subfield", "852$x")[0][1:])) == ["(masked)", "pii:…"]


def test_examples_are_few_and_long_values_cut() -> None:
    before = made(*(book(str(n), "a" * 300) for n in range(9)))
    after = made(*(book(str(n), "b" * 300) for n in range(9)))
    total = compare([(before, after)], examples_each=2)
    assert [row[0] for row in examples(total, "subfield", "245$a")] == [1, 2]
    assert total.examples["before"].str.len_chars().max() == 120
    assert differences(total)["subfield", "245$a"][0] == 9


records = st.builds(
    lambda number, title, notes: book(str(number), title, fields=tuple(("500", "a", note) for note in notes)),
    st.integers(1, 3),
    st.sampled_from(["Bleak house", "Tab\there", "Œuvres"]),
    st.lists(st.sampled_from(["A", "B", ""]), max_size=3),
)


@settings(max_examples=30)
@given(
    olds=st.lists(records, min_size=1, max_size=4),
    news=st.lists(records, min_size=1, max_size=4),
    cut=st.integers(1, 3),
)
def test_parts_add_up_to_the_whole_and_both_ways_mirror_each_other(
    olds: list[bytes], news: list[bytes], cut: int
) -> None:
    count = min(len(olds), len(news))
    olds, news = olds[:count], news[:count]
    whole = compare([(made(*olds), made(*news))])
    bounds = [(start, min(start + cut, count)) for start in range(0, count, cut)]
    parts = compare((made(*olds[a:b], first=a + 1), made(*news[a:b], first=a + 1)) for a, b in bounds)
    assert differences(parts) == differences(whole)
    assert (parts.records, parts.differing) == (whole.records, whole.differing)
    assert whole.differing == sum(old != new for old, new in zip(olds, news, strict=True))
    mirrored = differences(compare([(made(*news), made(*olds))]))
    assert {key: (r, n, g, c, s) for key, (r, g, n, c, s) in mirrored.items()} == differences(whole)
