"""`record_issues` in a whole load: reported, and stopped only where the source says so."""

from __future__ import annotations

import polars as pl
import pytest

from catalog_assets.records import record_issues as asset
from holdfast.marc.validation import ISSUES, load_rules
from holdfast.marc.validation.local import LocalRule
from resources.lake.client import NotMaterialized
from resources.lake.validation import validate_window
from resources.postgres.client import Postgres
from resources.postgres.quarantine import Quarantine
from tests.catalogue_load import SETTINGS, drop, fine, partition
from tests.demo_ils import DemoIls
from tests.records import book

pytestmark = [pytest.mark.services, pytest.mark.dagster]
BAD_ISBN, LATER = "0-306-40615-3 (pbk.)", "20260201000000.0"


def stop_on(monkeypatch: pytest.MonkeyPatch, *codes: str, source: str = "ebooks") -> None:
    monkeypatch.setitem(SETTINGS.sources, source, SETTINGS.sources[source].model_copy(update={"stop_on": codes}))


def three() -> list[bytes]:
    return [
        book("1", "Bleak house"),
        book("2", "Hard times", fields=(("020", "a", BAD_ISBN), ("020", "a", "12345"))),
        book("3", "Little Dorrit"),
    ]


def test_issues_are_reported_with_their_place_and_stop_nothing(library: DemoIls) -> None:
    drop(three(), "vendor.mrc")
    loaded = fine()
    assert loaded.outcomes == {"committed": 3}
    issues = loaded.rows("record_issues")
    assert issues.schema == ISSUES
    (row,) = issues.filter(pl.col("code") == "isbn.check_digit").rows(named=True)
    assert (row["record"], row["tag"], row["occurrence"], row["subfield"]) == (2, "020", 1, "a")
    metadata = loaded.metadata("record_issues")
    assert metadata["dagster/row_count"] == issues.height and metadata["stopped"] == 0
    assert "vendor.mrc record 2 field 020 (1) $a" in metadata["examples"]
    assert len(metadata["rules"]) == 64
    check = loaded.checks["record_issues.no_errors"]
    assert check.severity.value == "WARN"


def test_an_error_makes_the_check_warn_and_lets_the_load_go_on(library: DemoIls) -> None:
    drop(book("1", "Tab\there"))
    loaded = fine()
    check = loaded.checks["record_issues.no_errors"]
    assert not check.passed and "1 errors in 1 records" in (check.description or "")
    assert loaded.outcomes == {"committed": 1}


def test_a_code_that_the_source_stops_on_sends_its_records_to_quarantine_and_no_other(
    library: DemoIls, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_on(monkeypatch, "isbn.check_digit", "isbn.form")
    drop(three(), "vendor.mrc")
    loaded = fine()
    assert loaded.of_records == {1: "committed", 2: "quarantined", 3: "committed"}
    assert {each["title"] for each in library.instances()} == {"Bleak house", "Little Dorrit"}
    (entry,) = Quarantine(postgres, "catalogue").waiting(partition())
    assert entry["asset"] == "record_issues" and entry["code"] == "isbn.check_digit"
    assert entry["place"].startswith("vendor.mrc record 2 field 020 (1) $a") and "1 more that stop it" in entry["place"]
    assert "stop_on" in entry["hint"] and entry["rule"] == "ISO 2108"
    assert entry["correlation_id"] == loaded.rows("normalized_records")["correlation_id"][1]
    (detail,) = loaded.rows().filter(pl.col("record") == 2)["detail"]
    assert detail == "isbn.check_digit, isbn.form"
    assert fine().of_records == loaded.of_records


def test_a_stopped_record_is_loaded_once_the_source_lets_it_pass(
    library: DemoIls, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_on(monkeypatch, "isbn.check_digit")
    drop(three())
    fine()
    stop_on(monkeypatch)
    assert fine().outcomes == {"committed": 3}
    assert Quarantine(postgres, "catalogue").waiting(partition()) == []


def test_what_was_written_before_the_source_stopped_on_it_stays_written(
    library: DemoIls, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop(three())
    assert fine().outcomes == {"committed": 3}
    written = library.audit()
    stop_on(monkeypatch, "isbn.check_digit")
    assert fine().outcomes == {"committed": 3}
    assert library.audit() == written


def test_a_stopped_record_supersedes_no_right_one_of_the_same_load(
    library: DemoIls, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_on(monkeypatch, "isbn.check_digit")
    drop([book("1", "Bleak house"), book("1", "Bleak house", date=LATER, fields=(("020", "a", BAD_ISBN),))])
    assert fine().of_records == {1: "committed", 2: "quarantined"}


def test_a_local_rule_stops_like_any_other(library: DemoIls, monkeypatch: pytest.MonkeyPatch) -> None:
    rule = LocalRule(name="no_note", fields=("500",), forbidden=True, severity="error")
    monkeypatch.setitem(asset.RULES, "ebooks", load_rules(local=[rule]))
    stop_on(monkeypatch, "local.no_note")
    drop([book("1"), book("2", "Hard times", fields=(("500", "a", "A note"),))])
    loaded = fine()
    assert loaded.of_records == {1: "committed", 2: "quarantined"}


def test_a_masked_value_is_in_no_issue(library: DemoIls) -> None:
    drop(book("1", fields=(("852", "x", "Ask Mrs. Ward "), ("583", "x", "Secret\tnote"))))
    issues = fine().rows("record_issues")
    text = "".join(str(row) for row in issues.rows())
    assert "Ward" not in text and "Secret" not in text and "pii:0" not in text


def test_a_window_without_records_has_no_issues(library: DemoIls) -> None:
    loaded = fine()
    assert loaded.rows("record_issues").rows() == []
    assert loaded.metadata("record_issues")["examples"] == "nothing found"


def test_issues_need_normalized_records_and_say_so(tmp_path) -> None:
    from resources.lake.client import Lake

    with pytest.raises(NotMaterialized, match="materialize normalized_records first"):
        validate_window(Lake(tmp_path), "2026-01-01|ebooks", load_rules())
