"""The cataloguers' own error reports are found again, and the page says so truly."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import pytest

from holdfast.marc.validation.values import check_isbn, check_issn
from tests.validation_exactness import PAGE, batch_table, latest_table, rules_of_page

MEND = "mend the page with `PYTHONPATH=. python -m tests.validation_exactness`"


def test_every_error_of_the_two_batches_is_found_and_no_other(data: Path) -> None:
    table = batch_table(data, rules_of_page())
    assert "| missing key 880 | 67 | 67 | 0 | 0 |" in table
    assert "| missing key 880, each field | 96 | 96 | 0 | 0 |" in table
    assert table in PAGE.read_text(), MEND


def test_the_marks_of_the_finished_records_are_found_as_the_page_says(data: Path) -> None:
    assert latest_table(data, rules_of_page()) in PAGE.read_text(), MEND


@pytest.mark.parametrize(("kind", "check", "checked"), [("isbn", check_isbn, 2396), ("issn", check_issn, 24)])
def test_the_verdicts_are_those_of_python_stdnum(data: Path, kind, check, checked: int) -> None:
    with gzip.open(data / "identifiers" / "identifiers.tsv.gz", "rt", encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE) if row["kind"] == kind]
    judged = [row for row in rows if row["check"]]
    wrong = [row for row in judged if (check(row["value"]) == []) != (row["check"] == "valid")]
    assert len(judged) == checked
    assert wrong == []
