"""Every kind of issue is provoked by a small record; a right record has none; nothing that the reader makes stops it."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pymarc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.marc.blocks import Block
from holdfast.marc.frames import SUBFIELDS, Frames
from holdfast.marc.iso2709 import read_columns
from holdfast.marc.validation import ISSUES, KINDS, Rules, load_rules, validate
from holdfast.marc.validation.issues import SEVERITIES
from tests.holdfast.marc.validation.provoked import (
    AUTH,
    AUTHORITY,
    EVERYTHING,
    HOLD,
    HOLDINGS,
    PROVOKED,
    RIGHT,
    RULES,
    codes,
    issues,
    record,
)

# What the core schemas do not have is provoked with a schema of its own.
LISTS = {
    "https://www.loc.gov/marc/geoareas/": {"codes": {"e-uk": "", "n-us": ""}},
    "https://www.loc.gov/marc/organizations/orgshome.html": {"codes": {"XX-Test": ""}},
    "source": {"codes": {"fast": ""}},
}
STRICT = {
    "title": "strict",
    "fields": {
        "040": {"subfields": {"a": {"codes": "https://www.loc.gov/marc/organizations/orgshome.html"}}},
        "043": {"subfields": {"a": {"codes": "https://www.loc.gov/marc/geoareas/"}}},
        "500": {
            "subfields": {"a": {"pattern": "^Ex"}, "5": {"order": "1"}, "3": {"required": True}},
        },
        "650": {"subfields": {"a": {}, "2": {"codes": "source"}}},
    },
    "codelists": LISTS,
}
BY_STRICT = {"subfield.missing", "subfield.pattern", "code.geographic", "code.organization", "code.source"}


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Rules:
    import json

    path = tmp_path_factory.mktemp("schema") / "strict.json"
    path.write_text(json.dumps(STRICT))
    return load_rules({"bibliographic": path}, severity=EVERYTHING)


@pytest.mark.parametrize("code", KINDS)
def test_every_kind_is_provoked_and_says_where_and_what_mends_it(code: str, strict: Rules) -> None:
    found = issues(PROVOKED[code], strict if code in BY_STRICT else RULES).filter(pl.col("code") == code)
    assert found.height, f"{code} is not found"
    row = found.row(0, named=True)
    assert row["severity"] in SEVERITIES
    assert row["message"] and row["rule"] and row["hint"] and row["tag"]
    assert row["rule"] != "schema"
    assert row["record"] == 1


def test_there_is_no_kind_without_a_record_nor_a_record_without_a_kind() -> None:
    assert PROVOKED.keys() == KINDS.keys()
    assert len(KINDS) >= 25


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_record_has_no_issue(name: str) -> None:
    assert issues(RIGHT[name]).rows() == []


def test_mending_what_an_issue_names_takes_it_away() -> None:
    assert "isbn.check_digit" not in codes(record(f020=("  ", "$a0-306-40615-2 (pbk.)")))
    assert "title.nonfiling" not in codes(record(f245=("14", "$aThe house")))
    assert "fixed.length" not in codes(record(f007=("", "ta")))
    assert "code.language" not in codes(record(f041=("07", "$aen$2iso639-1")))
    assert "link.no_880" not in codes(record(f500=("  ", "$6880-01$aA"), f880=("  ", "$6500-01$aА")))


def test_the_place_of_an_issue_is_exact() -> None:
    data = record(f500=[("  ", "$aFine"), ("  ", "$aOne$5XX-Test"), ("  ", "$aä\tb")])
    (row,) = issues(data).filter(pl.col("code") == "value.control_character").rows(named=True)
    assert (row["tag"], row["occurrence"], row["subfield"], row["position"]) == ("500", 3, "a", 1)
    assert row["field"] == 8 and row["value"] == "ä␉b"


def test_a_position_of_a_fixed_field_is_named() -> None:
    (row,) = issues(PROVOKED["fixed.code"]).rows(named=True)
    assert (row["tag"], row["position"]) == ("008", 18)
    assert "18-21 Illustrations" in row["message"] and "core_bibliographic.avram.json" in row["rule"]


def test_an_880_is_held_against_the_field_that_it_stands_for() -> None:
    data = record(f245=("10", "$6880-01$aTitle"), f880=("90", "$6245-01$aЗаглавие$qno such"))
    found = issues(data).filter(pl.col("tag") == "880")
    assert set(found["code"]) == {"indicator.undefined", "subfield.undefined"}
    assert found["message"].str.contains("245").all()


def test_masked_values_are_neither_judged_nor_shown() -> None:
    token = "pii:" + "0123456789abcdef" * 4
    found = issues(record(f020=("  ", f"$a{token}"), f541=("  ", f"$a{token}$h{token} ")))
    assert not found["value"].fill_null("").str.contains("[0-9a-f]{16}").any()
    assert "isbn.form" not in found["code"]
    assert "pii:…" in found.filter(pl.col("code") == "value.blank")["value"][0]


def test_a_login_in_an_address_is_not_shown() -> None:
    (row,) = issues(record(f856=("40", "$uhttps://user:secret@example.org/a b"))).rows(named=True)
    assert "secret" not in str(row)


def test_the_control_subfield_of_tracings_is_read_by_positions(data: Path) -> None:
    rules = load_rules({"authority": data / "rules" / "authority-schema.avram.json.gz"})
    for each in (RULES, rules):
        fine, wrong = (record(AUTHORITY, **AUTH, f500=("1 ", f"$w{w}$aDickens, C.")) for w in ("nne", "nzn"))
        assert codes(fine, each) == set()
        (row,) = issues(wrong, each).rows(named=True)
        assert (row["code"], row["subfield"], row["position"]) == ("fixed.code", "w", 1)


def test_kinds_of_records_go_by_their_own_schemas_in_one_frame() -> None:
    data = record() + record(AUTHORITY, **AUTH) + record(HOLDINGS, **HOLD) + record(f852=None, f049=("  ", "$aX"))
    found = issues(data)
    assert found.select("record", "code", "tag").rows() == [(4, "field.undefined", "049")]


def test_issues_come_in_the_order_of_records_and_fields_with_the_documented_columns() -> None:
    found = issues(PROVOKED["link.duplicate"] + record() + PROVOKED["isbn.form"])
    assert found.schema == ISSUES
    assert found["record"].is_sorted() and set(found["record"]) == {1, 3}


def test_no_record_has_no_issue() -> None:
    empty = Frames(read_columns(Block(b"", 0, True)).records, pl.DataFrame(schema=SUBFIELDS))
    assert validate(empty, RULES).rows() == []


def test_a_record_without_a_field_lacks_what_is_required() -> None:
    data = b"00026nam a2200025 i 4500\x1e\x1d"
    assert set(issues(data).filter(pl.col("code") == "field.missing")["tag"]) == {"001", "008", "245"}


@given(st.binary(max_size=400))
@settings(max_examples=150, deadline=None)
def test_any_bytes_are_validated(data: bytes) -> None:
    assert validate(read_columns(Block(data, 0, True)), RULES).schema == ISSUES


_CONTROL = st.text(st.characters(codec="utf-8", exclude_characters="\x1d\x1e\x1f"), max_size=45)
_VALUES = st.one_of(
    st.sampled_from(
        ["880-01", "245-01/(3/r", "", " ", "$1", "9780306406157", "(OCoLC)1", "http://[", "pii:" + "a" * 64, "engfre"]
    ),
    _CONTROL,
)
_TAGS = st.sampled_from(
    "001 005 006 007 008 010 020 022 024 035 041 100 245 264 500 650 760 776 852 856 863 880 999 ABC".split()
)


@given(
    st.text("acdefgijkmoprtuvxyzqw |0", min_size=24, max_size=24),
    st.lists(
        st.tuples(
            _TAGS,
            st.text(" 0179x", min_size=2, max_size=2),
            st.lists(st.tuples(st.sampled_from("abxz2468"), _VALUES), max_size=3),
        )
    ),
)
@settings(max_examples=200, deadline=None)
def test_any_record_is_validated_and_its_issues_have_a_place(leader: str, fields: list) -> None:
    made: dict[str, list] = {}
    for tag, indicators, subfields in fields:
        text = "".join(f"\x1f{code}{value}" for code, value in subfields)
        plain = subfields[0][1] if subfields else ""
        made.setdefault("f" + tag, []).append(("", plain) if tag.startswith("00") else (indicators, text))
    head = leader[:9] + "a22" + leader[12:20] + "4500"
    frames = read_columns(Block(record(head, **made), 0, True))
    found = validate(frames, RULES)
    assert found.schema == ISSUES
    assert (
        not found.select("record", "code", "severity", "tag", "rule", "message").null_count().transpose().sum().item()
    )


def test_every_record_of_the_corpora_is_validated(data: Path) -> None:
    rules = load_rules(
        {
            "bibliographic": data / "rules" / "marc.json.gz",
            "authority": data / "rules" / "authority-schema.avram.json.gz",
        }
    )
    for path in sorted((data / "marc").rglob("*.mrc")):
        frames = read_columns(Block(path.read_bytes(), 0, True))
        for each in (RULES, rules):
            found = validate(frames, each)
            assert set(found["code"]) <= KINDS.keys()


def test_severities_can_be_set_and_kinds_turned_off() -> None:
    rules = load_rules(severity={"isbn.form": "error", "link.no_880": "off"})
    assert set(issues(PROVOKED["isbn.form"], rules)["severity"]) == {"error"}
    assert codes(PROVOKED["link.no_880"], rules) == set()


def test_pymarc_writes_what_these_tests_write() -> None:
    """The records here are made by hand; pymarc reads them as they are meant."""
    read = pymarc.Record(data=RIGHT["linked fields"], to_unicode=True)
    assert read["880"]["a"] == "Нота" and read["245"].indicators.first == "1"
