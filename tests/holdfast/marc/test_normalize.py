"""Facts of a record as columns: against stdnum, against plain Python, and on records made for the purpose."""

from __future__ import annotations

import csv
import gzip
import io
import os
from pathlib import Path

import polars as pl
import pymarc
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from holdfast import identity
from holdfast.authority.naco import naco
from holdfast.marc import read_blocks, read_columns
from holdfast.marc.nfc import with_nfc
from holdfast.marc.normalize import (
    NORMALIZED,
    _lccn,
    heading_key,
    heading_keys,
    isbns,
    normalize,
    normalize_isbn,
    normalize_lccn,
)

DATA = Path(os.environ.get("HOLDFAST_TEST_DATA") or Path(__file__).parents[4] / "shared" / "data")


def record(*fields: tuple[str, str | list[tuple[str, str]]], ind2: str = " ", leader: str = "") -> pymarc.Record:
    made = pymarc.Record(force_utf8=True, leader=leader or " " * 5 + "nam a2200000 i 4500")
    for tag, content in fields:
        if isinstance(content, str):
            made.add_field(pymarc.Field(tag, data=content))
        else:
            subfields = [pymarc.Subfield(*each) for each in content]
            made.add_field(pymarc.Field(tag, indicators=pymarc.Indicators(" ", ind2), subfields=subfields))
    return made


def facts_of(*records: pymarc.Record) -> pl.DataFrame:
    block = next(iter(read_blocks(io.BytesIO(b"".join(each.as_marc() for each in records)))))
    frames = read_columns(block)
    index = frames.records.with_columns(pl.lit("f.mrc").alias("file"), pl.lit(0, pl.UInt32).alias("masked_values"))
    facts = normalize(index, with_nfc(frames.subfields), source="s", window="2026-01-01")
    assert facts.schema == NORMALIZED
    return facts


F008 = "850423s1923    nyuabc   b    001 0 eng d"


def test_the_facts_of_a_book() -> None:
    row = facts_of(
        record(
            ("001", "ocm00012345 "),
            ("003", "OCoLC"),
            ("005", "20200101120000.0"),
            ("008", F008),
            ("010", [("a", "   2001-627090 ")]),
            ("020", [("a", "0-306-40615-2 (pbk.)"), ("c", "$10")]),
            ("020", [("a", "9780306406157")]),
            ("020", [("a", "0306406153")]),
            ("035", [("a", "(OCoLC)ocn00012345")]),
            ("035", [("a", "(DE-627)77")]),
            ("041", [("a", "engfre"), ("h", "ger")]),
            ("100", [("a", "Brontë, Charlotte,"), ("d", "1816-1855")]),
            ("240", [("a", "Jane Eyre."), ("l", "French")]),
            ("245", [("a", "L’œuvre :"), ("b", "a novel /"), ("c", "C. Brontë.")]),
            ("260", [("a", "Paris :"), ("c", "c1922, [1923]")]),
        )
    ).row(0, named=True)
    wanted = {
        "control_number": "ocm00012345",
        "ocn": ["12345"],
        "isbn": ["9780306406157"],
        "lccn": ["2001627090"],
        "system_numbers": ["(OCoLC)ocn00012345", "(DE-627)77"],
        "language": "eng",
        "languages": ["eng", "fre"],
        "country": "nyu",
        "date_type": "s",
        "date1": "1923",
        "date2": "    ",
        "year": 1923,
        "imprint_year": 1922,
        "title": "L’œuvre : a novel",
        "title_key": "loeuvre a novel",
        "author_key": "bronte charlotte",
        "work_key": "bronte charlotte / jane eyre",
        "material_type": "book",
        "fields": 15,
    }
    assert {name: row[name] for name in wanted} == wanted
    assert row["fingerprint"] == identity.fingerprint("(OCoLC)ocm00012345", "20200101120000.0")
    assert row["correlation_id"] == identity.correlation_id("s", "2026-01-01", 1, row["fingerprint"])


def test_a_record_without_anything_has_facts_too() -> None:
    made = record(("245", [("a", "Only a title")]))
    other = record(("500", [("a", "not even that")]))
    facts = facts_of(made, other)
    assert facts["title"].to_list() == ["Only a title", None]
    assert facts["isbn"].to_list() == facts["ocn"].to_list() == [[], []]
    assert facts["work_key"].to_list() == [" / only a title", ""]
    assert facts["fingerprint"][1] == identity.fingerprint("()", facts["content_sha256"][1])


def test_publication_goes_before_imprint_and_other_dates_of_264_do_not_count() -> None:
    made = record(("264", [("c", "©1999")]), ind2="4")
    made.add_field(
        pymarc.Field("264", indicators=pymarc.Indicators(" ", "1"), subfields=[pymarc.Subfield("c", "[2001?]")])
    )
    assert facts_of(made)["imprint_year"].to_list() == [2001]


def test_an_ocn_is_an_ocn_only_where_oclc_gave_it() -> None:
    own, foreign, prefixed = (
        record(("001", "0012345"), ("003", "OCoLC")),
        record(("001", "0012345"), ("003", "NhCcYBP")),
        record(("001", "on1012345"), ("003", "NhCcYBP")),
    )
    assert facts_of(own, foreign, prefixed)["ocn"].to_list() == [["12345"], [], ["1012345"]]


@given(
    st.lists(
        st.one_of(
            st.none(),
            st.from_regex(r"\A(97[89])?-?[0-9]{1,5}-?[0-9]{0,7}-?[0-9Xx]( \(pbk\.\))?\Z"),
            st.text(alphabet="0123456789Xx- ‐–\u00a0(", max_size=16),
            st.sampled_from(
                ["0306406152", "978-0-306-40615-7", "080442957X", "080442957x", "306406152", "0‐306‐40615‐2"]
            ),
        ),
        max_size=6,
    )
)
def test_isbns_are_what_stdnum_says(values) -> None:
    expected = [None if each is None else normalize_isbn(each) for each in values]
    assert isbns(pl.Series(values, dtype=pl.String)).to_list() == expected


@pytest.mark.skipif(not DATA.is_dir(), reason=f"the public test data is not at {DATA} (HOLDFAST_TEST_DATA)")
def test_real_isbns_are_what_stdnum_says() -> None:
    with gzip.open(DATA / "identifiers" / "identifiers.tsv.gz", "rt", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))
    name = next(each for each in rows[0] if "value" in each.lower())
    values = [row[name] for row in rows]
    assert isbns(pl.Series(values)).to_list() == [normalize_isbn(each) for each in values]
    ours = pl.Series("v", values).to_frame().select(_lccn(pl.col("v")))["v"].to_list()
    assert ours == [normalize_lccn(each) for each in values]


@given(
    st.lists(
        st.text(st.characters(exclude_characters="\u0098\u009c", exclude_categories=["Cs"]), max_size=30), max_size=6
    )
)
@example(["Łódź Ð ø ß ı ﬁ ² ٣ ʿAyn ʾalif", "R&B # + @ ♭ € $5", "a\tb\u00a0c -- d", "", " ' "])
def test_keys_are_the_naco_form_in_lower_case(texts) -> None:
    frame = pl.DataFrame({"t": pl.Series(texts, dtype=pl.String)})
    expected = frame.select(naco(pl.col("t")).str.to_lowercase().alias("k"))["k"].to_list()
    assert heading_keys(frame["t"]).to_list() == expected
    assert frame.select(heading_key(pl.col("t")).alias("k"))["k"].to_list() == expected


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("Ward, Mrs. Humphry, 1851-1920.", "ward mrs humphry 1851 1920"),
        ("Ḥakīm, Tawfīq", "hakim tawfiq"),
        ("[L’Étranger] --  d'Ors", "letranger dors"),
        ("Страна́", "страна"),
    ],
)
def test_keys_of_headings(text, key) -> None:
    assert heading_keys(pl.Series([text])).to_list() == [key]


@given(
    st.lists(st.tuples(st.text(max_size=8), st.text(max_size=8)), max_size=5),
    st.text(max_size=5),
    st.integers(1, 10**7),
)
def test_identities_of_columns_are_those_of_records(parts, source, first) -> None:
    frame = pl.DataFrame(parts, schema={"number": pl.String, "modified": pl.String}, orient="row")
    prints = identity.fingerprints(frame)
    assert prints.to_list() == [identity.fingerprint(*each) for each in parts]
    numbers = pl.Series(range(first, first + len(parts)), dtype=pl.UInt32)
    ids = identity.correlation_ids(source, "2026-01-01", numbers, prints)
    assert ids.to_list() == [
        identity.correlation_id(source, "2026-01-01", n, p)
        for n, p in zip(numbers.to_list(), prints.to_list(), strict=True)
    ]
