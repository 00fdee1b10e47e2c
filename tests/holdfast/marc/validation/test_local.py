"""Local rules: what each demand finds, and what a wrong rule is told."""

from __future__ import annotations

import re

import polars as pl
import pytest

from holdfast.marc.validation import load_rules
from holdfast.marc.validation.local import LocalRule
from tests.holdfast.marc.validation.provoked import (
    issues,
    record,
)

NOTE = record(f500=[("  ", "$aOne"), ("  ", "$6880-01$aTwo$5XX")], f880=("  ", "$6500-01$aДва"))
LOCAL = [
    ({"fields": ["590"], "required": True}, 1),
    ({"fields": ["245"], "required": True}, 0),
    ({"fields": ["590", "500"], "required": True}, 0),
    ({"fields": ["500"], "forbidden": True}, 2),
    ({"fields": ["500$5"], "forbidden": True}, 1),
    ({"fields": ["500$a"], "pattern": "^One$"}, 1),
    ({"fields": ["001"], "pattern": "^\\d+$"}, 0),
    ({"fields": ["500$a"], "not_pattern": "T"}, 1),
    ({"fields": ["500$5"], "values": ["XX", "YY"]}, 0),
    ({"fields": ["500$5"], "values": ["YY"]}, 1),
    ({"fields": ["500"], "subfields": "a5"}, 1),
    ({"fields": ["5XX"], "first_subfield": "6"}, 0),
    ({"fields": ["500"], "first_subfield": "5"}, 1),
    ({"fields": ["500"], "linked_880": True}, 1),
    ({"fields": ["500"], "indicator1": " 1"}, 0),
    ({"fields": ["500"], "indicator2": "1"}, 2),
    ({"fields": ["500"], "at_most": 1}, 1),
    ({"fields": ["500"], "at_least": 2}, 0),
    ({"fields": ["500"], "at_least": 3}, 1),
    ({"fields": ["500"], "at_most_as_many_as": ["880"]}, 1),
    ({"fields": ["880"], "at_most_as_many_as": ["500"]}, 0),
    ({"fields": ["590"], "required": True, "when": ["880"]}, 1),
    ({"fields": ["590"], "required": True, "when": ["700"]}, 0),
    ({"fields": ["590"], "required": True, "unless": ["500$5"]}, 0),
    ({"fields": ["500"], "forbidden": True, "ignoring": "^One"}, 1),
    ({"fields": ["500"], "at_most": 1, "ignoring": "^One"}, 0),
    ({"fields": ["590"], "required": True, "records": ["authority"]}, 0),
]


@pytest.mark.parametrize(("rule", "count"), LOCAL, ids=[str(each) for each, _ in LOCAL])
def test_a_local_rule_finds_what_it_asks_for(rule: dict, count: int) -> None:
    rules = load_rules(local=[LocalRule(name="mine", hint="do so", severity="error", **rule)])
    found = issues(NOTE, rules).filter(pl.col("code") == "local.mine")
    assert found.height == count
    assert set(found["hint"]) <= {"do so"} and set(found["severity"]) <= {"error"}
    assert found["rule"].str.contains("holdfast.toml: validation.rules mine").all()


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"fields": ["500"]}, "found no demand; a rule has one of: required, forbidden"),
        ({"fields": ["500"], "required": True, "at_most": 1}, "found required, at_most"),
        ({"fields": ["500"], "pattern": "x"}, "name a subfield, as '500$a'"),
        ({"fields": ["500$a"], "linked_880": True}, "asked of fields, not of subfields"),
        ({"fields": ["500$a"], "pattern": "("}, "must be a regular expression"),
        ({"fields": ["5"], "required": True}, "must be a MARC tag"),
        ({"fields": ["500"], "required": True, "severity": "fatal"}, "'error', 'warning' or 'info'"),
        ({"fields": ["500"], "requird": True}, "Extra inputs are not permitted"),
    ],
)
def test_a_wrong_local_rule_says_what_is_allowed(rule: dict, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        LocalRule(name="mine", **rule)
