"""What normalization and validation make of fixed records, by their versions: rows made with the same version are reused, so code that
makes other rows must have another version.

A failure says: raise VERSION (holdfast/marc/normalize.py or holdfast/marc/validation/rules.py), and put the new digest here.
"""

from __future__ import annotations

import hashlib
import io

import polars as pl
import pymarc
import pytest

from holdfast.marc.harvest import index_drop
from holdfast.marc.normalize import VERSION as CODE
from holdfast.marc.rulebook import Rulebook
from holdfast.marc.validation import VERSION as RULES
from holdfast.marc.validation import load_rules
from holdfast.privacy.masking import MaskingRules
from tests.records import book

NORMALIZED = {"4": "62eea30faa37f167-ac7907f10fa9344a-8d207c7386320565"}
JUDGED = {"1": "79c528d46c4a65da"}


def corpus() -> bytes:
    """A few records in which every column has something, and with faults of many kinds."""
    full = (
        ("010", "a", "  2001-12345 "), ("020", "a", "0-306-40615-2 (pbk.)"), ("020", "a", "0-306-40615-3"), ("022", "a", "0317-8471"),
        ("035", "a", "(OCoLC)ocm00012345"), ("041", "a", "engfre"), ("100", "a", "Dickens, Charles,"), ("240", "a", "Works."),
        ("264", "c", "1999"), ("500", "a", "Tab\there "), ("650", "a", "Fog"), ("852", "x", "Ask Mrs. Ward"), ("856", "u", "http:/x"),
        ("880", "6", "245-01/$1"), ("9XX", "a", "odd"),
    )  # fmt: skip
    decomposed = book("2", "Bele\u0301k house : with marks", org="", date="", fields=(("490", "a", "Se\u0301rie"),))
    marc8 = pymarc.Record(to_unicode=False)
    marc8.leader = pymarc.Leader("00000nam  2200000 a 4500")
    marc8.add_field(pymarc.Field("001", data="ocm00000007"))
    marc8.add_field(
        pymarc.Field("245", indicators=pymarc.Indicators("0", "0"), subfields=[pymarc.Subfield("a", "Caf#e")])
    )
    raw = marc8.as_marc().replace(b"#", b"\xe2")  # an acute, before its letter
    return book("1", fields=full) + decomposed + raw + b"00026nam  no record\x1d" + book("4", status="d", ind1="1")


def digest_of(frame: pl.DataFrame) -> str:
    return hashlib.sha256(repr((frame.schema, frame.rows())).encode()).hexdigest()[:16]


@pytest.fixture(scope="module")
def made():
    rulebook = Rulebook(MaskingRules(("852$x",), ()), load_rules())
    (part,) = index_drop(io.BytesIO(corpus()), "a.mrc", rulebook.masking, b"salt")
    return rulebook.make(part.frame, source="a", window="2026-01-05")


def test_other_rows_of_normalized_records_are_another_version(made) -> None:
    rows = digest_of(made.records), digest_of(made.subfields), digest_of(made.unreadable)
    assert NORMALIZED.get(CODE) == "-".join(rows)


def test_other_issues_are_another_version(made) -> None:
    assert made.issues.height > 10
    assert JUDGED.get(RULES) == digest_of(made.issues)
