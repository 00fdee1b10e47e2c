"""Avram schemas: a fault in one is named, and the core schemas agree with the published ones."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from holdfast.marc.blocks import Block
from holdfast.marc.iso2709 import read_columns
from holdfast.marc.validation import RulesError, load_rules, validate
from holdfast.marc.validation.avram import parse_schema
from holdfast.marc.validation.local import LocalRule
from holdfast.marc.validation.rules import core_schema
from holdfast.marc.validation.values import COUNTRIES, LANGUAGES, RELATORS
from tests.holdfast.marc.validation.provoked import (
    RULES,
    issues,
    record,
)


@pytest.mark.parametrize(
    ("text", "key", "allowed"),
    [
        ("{", "not JSON", "an Avram schema"),
        ("[]", "(the whole file)", "an object"),
        ("{}", "fields: missing", "by tag"),
        ('{"fields": []}', "fields", "an object"),
        ('{"fields": {"24": {}}}', "fields.24", "three digits"),
        ('{"fields": {"245": {"repeatble": true}}}', "fields.245.repeatble", "did you mean 'repeatable'?"),
        ('{"fields": {"245": {"repeatable": "no"}}}', "fields.245.repeatable", "true or false"),
        (
            '{"fields": {"245": {"subfields": {"a": {"pattern": "("}}}}}',
            "fields.245.subfields.a.pattern",
            "regular expression",
        ),
        ('{"fields": {"245": {"indicator1": 1}}}', "fields.245.indicator1", "an object"),
        ('{"fields": {"008": {"positions": {"x": {}}}}}', "fields.008.positions.x", "start and end"),
        ('{"fields": {"245": {"subfields": {"a": {"codes": {"x": 1}}}}}}', "fields.245.subfields.a.codes.x", "a label"),
    ],
)
def test_a_bad_schema_names_file_key_and_what_is_allowed(tmp_path: Path, text: str, key: str, allowed: str) -> None:
    path = tmp_path / "mine.json"
    path.write_text(text)
    with pytest.raises(RulesError) as caught:
        load_rules({"bibliographic": path})
    assert str(caught.value).startswith(f"mine.json: {key}") and allowed in str(caught.value)


def test_a_schema_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(RulesError, match=r"none\.json: can't be read"):
        load_rules({"bibliographic": tmp_path / "none.json"})
    (tmp_path / "not.json.gz").write_bytes(b"plain")
    with pytest.raises(RulesError, match=r"not\.json\.gz: can't be read"):
        load_rules({"bibliographic": tmp_path / "not.json.gz"})


def test_unimarc_goes_by_a_schema_of_unimarc(data: Path) -> None:
    with pytest.raises(RulesError, match=r"validation\.schemas\.unimarc: missing"):
        load_rules(unimarc=True)
    rules = load_rules({"unimarc": data / "rules" / "unimarc.json.gz"}, unimarc=True)
    frames = read_columns(Block((data / "marc" / "pymarc" / "testunimarc.dat").read_bytes(), 0, True))
    assert frames.subfields.height
    by_unimarc, by_marc21 = validate(frames, rules), validate(frames, RULES)
    assert "unimarc.json.gz" in "".join(by_unimarc["rule"])
    assert by_unimarc.height < by_marc21.height


def test_mandatory_fields_are_asked_for_where_the_schema_names_none(data: Path) -> None:
    rules = load_rules({"bibliographic": data / "rules" / "marc.json.gz"})
    found = issues(record(f245=None, f001=None, f100=None), rules).filter(pl.col("code") == "field.missing")
    assert found["tag"].to_list() == ["001", "245"]
    assert set(found["rule"]) == {"MARC 21: mandatory field"}


def test_the_version_is_that_of_schemas_rules_and_severities(tmp_path: Path) -> None:
    rule = LocalRule(name="r", fields=("500",), forbidden=True)
    versions = [
        load_rules().version,
        load_rules(local=[rule]).version,
        load_rules(severity={"value.blank": "error"}).version,
        load_rules(local=[rule.model_copy(update={"severity": "error"})]).version,
    ]
    assert len(set(versions)) == 4
    assert load_rules(local=[rule.model_copy(update={"sources": ("other",)})], source="mine").version == versions[0]
    assert load_rules().version == versions[0]


def test_the_core_schema_knows_what_the_published_one_knows(data: Path) -> None:
    """Fields, repeatability and codes that both have are the same, but for the differences named here."""
    import gzip

    published = parse_schema(gzip.decompress((data / "rules" / "marc.json.gz").read_bytes()), "marc.json.gz")
    core = core_schema("bibliographic")
    assert set(published.fields) <= set(core.fields)
    different = {
        tag
        for tag, field in published.fields.items()
        if field.repeatable != core.fields[tag].repeatable and field.label
    }
    # The documentation has 046 as repeatable, and the others not.
    assert different == {"036", "043", "046", "066", "507", "514"}
    for name in (LANGUAGES, COUNTRIES, RELATORS):
        theirs, ours = published.codelists[name], core.codelists[name]
        known = ours.active.keys() | ours.deprecated.keys()
        assert len(theirs.active.keys() - known) <= NEWER[name], name
    fixed = {tag: core.fields[tag] for tag in ("006", "007", "008")}
    for tag, field in fixed.items():
        for name, positions in published.fields[tag].types.items():
            ours = {each.name: each for each in field.types[name]}
            for position in positions:
                if position.codes is not None:
                    codes = ours[position.name].codes
                    assert codes is not None and position.codes.active.keys() - {"||"} <= codes.active.keys(), (
                        tag,
                        name,
                        position.name,
                    )


# Codes that came after the lists that the core was made from.
NEWER = {LANGUAGES: 3, COUNTRIES: 3, RELATORS: 0}
