"""Headings and authorities: which verdict, by what evidence."""

from __future__ import annotations

import gzip
from pathlib import Path

import polars as pl
import pytest

from holdfast.authority.linking import AUTHORITY_LINKS, link_records, lookup, see_also
from holdfast.authority.records import AuthorityFile, joined, read_authorities
from holdfast.marc import read_blocks, read_columns
from tests.authorities import authority, authority_file, frames, heading_record

TOPIC = ("150", "  ", "a", "Poetry")
FILE = authority_file(
    authority("sh1", TOPIC, ("450", "  ", "a", "Poems"), ("450", "  ", "w", "nne", "a", "Verse"), ("550", "  ", "w", "g", "a", "Literature")),
    authority("sh2", ("150", "  ", "a", "Poetry", "x", "History"), ("550", "  ", "a", "Poetry")),
    authority("sh3", ("150", "  ", "a", "Odes"), ("450", "  ", "a", "Songs")),
    authority("sh4", ("150", "  ", "a", "Ballads"), ("450", "  ", "a", "Songs")),
    authority("sh5", ("150", "  ", "a", "Lyrics (Old)"), ("682", "  ", "i", "Replaced by", "a", "Poetry."), status="x"),
    authority("sh6", ("150", "  ", "a", "Rhymes"), ("260", "  ", "i", "subdivision", "a", "Rhyme under names"), kind="b"),
    authority("sh7", ("185", "  ", "v", "Congresses"), kind="d"),
    authority("n1", ("100", "1 ", "a", "Dickens, Charles,", "d", "1812-1870"), ("400", "1 ", "a", "Boz"), as_name=True),
    authority("n2", ("110", "2 ", "a", "Łódź (Poland)"), as_name=True, as_subject=False),
    authority("m1", ("150", "  ", "a", "Fever"), thesaurus="c"),
)  # fmt: skip


def linked(*field: str, file: AuthorityFile = FILE) -> dict:
    (row,) = link_records(frames(heading_record("1", field)).subfields, file).to_dicts()
    return row


def verdict(*field: str) -> tuple[str, str, str | None, str | None]:
    row = linked(*field)
    return row["verdict"], row["matched"], row["authority"], row["authorized"]


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        (("650", " 0", "a", "Poetry."), ("linked", "whole", "sh1", "Poetry")),
        (("650", " 0", "a", "POETRY", "x", "History."), ("linked", "whole", "sh2", "Poetry--History")),
        (("650", " 0", "a", "Poems"), ("linked_by_reference", "whole", "sh1", "Poetry")),
        (("650", " 0", "a", "Poems", "z", "Iran."), ("linked_by_reference", "main heading", "sh1", "Poetry--Iran")),
        (("650", " 0", "a", "Lyrics (Old)"), ("deprecated", "whole", "sh5", "Poetry")),
        (("650", " 0", "a", "Songs"), ("ambiguous", "whole", None, None)),
        (("650", " 0", "a", "Rhymes"), ("ambiguous", "whole", "sh6", None)),
        (("650", " 0", "a", "Prose"), ("unlinked", "", None, None)),
        (("650", " 2", "a", "Fever"), ("linked", "whole", "m1", "Fever")),
        # another thesaurus, or none: the same words are another heading
        (("650", " 0", "a", "Fever"), ("unlinked", "", None, None)),
        (("650", " 4", "a", "Poetry"), ("unlinked", "", None, None)),
        # names: in a 1XX or 7XX by 008/14, in a 6XX by 008/15
        (("700", "1 ", "a", "Dickens, Charles,", "d", "1812-1870,", "e", "author."), ("linked", "whole", "n1", "Dickens, Charles, 1812-1870")),
        (("600", "10", "a", "Dickens, Charles,", "d", "1812-1870", "x", "Style."), ("linked", "main heading", "n1", "Dickens, Charles, 1812-1870--Style")),
        (("700", "12", "a", "Dickens, Charles,", "d", "1812-1870.", "t", "Bleak house."), ("linked", "name", "n1", "Dickens, Charles, 1812-1870")),
        (("700", "1 ", "a", "Boz."), ("linked_by_reference", "whole", "n1", "Dickens, Charles, 1812-1870")),
        (("710", "2 ", "a", "Lodz (Poland)"), ("linked", "whole", "n2", "Łódź (Poland)")),
        (("610", "20", "a", "Lodz (Poland)"), ("unlinked", "", None, None)),
        (("700", "1 ", "a", "Poetry"), ("unlinked", "", None, None)),
        # subfields are compared, not only their words
        (("650", " 0", "a", "Poetry History"), ("unlinked", "", None, None)),
        # a subdivision is no heading
        (("655", " 0", "a", "Congresses"), ("unlinked", "", None, None)),
    ],
)  # fmt: skip
def test_each_verdict(field: tuple[str, ...], expected: tuple) -> None:
    assert verdict(*field) == expected


def test_the_longest_part_that_has_an_authority_counts_and_the_rest_is_said() -> None:
    row = linked("650", " 0", "a", "Poetry", "x", "History", "z", "Iran", "v", "Congresses.")
    assert (row["authority"], row["matched"]) == ("sh2", "main heading")
    assert row["authorized"] == "Poetry--History--Iran--Congresses"
    # $v Congresses has an authority as a subdivision; Iran has none here.
    assert row["unverified_subdivisions"] == ["Iran"]


def test_the_evidence_says_what_a_cataloguer_wants_to_know() -> None:
    assert linked("650", " 0", "a", "Verse")["evidence"] == "whole = 450 of sh1; the form established before"
    assert "2 authorities have the key" in linked("650", " 0", "a", "Songs")["evidence"]
    assert linked("650", " 0", "a", "Songs")["alternatives"] == ["sh3", "sh4"]
    assert "differs in punctuation, case or diacritics" in linked("710", "2 ", "a", "Lodz (Poland)")["evidence"]
    assert "differs" not in linked("710", "2 ", "a", "Łódź (Poland).")["evidence"]
    assert linked("650", " 4", "a", "Poetry")["evidence"] == "the field names no thesaurus"
    assert "leader/05" in linked("650", " 0", "a", "Lyrics (Old)")["evidence"]
    assert "260, 664 or 666" in linked("650", " 0", "a", "Rhymes")["evidence"]


def test_a_heading_that_a_used_authority_refers_from_is_not_deprecated() -> None:
    file = authority_file(
        authority("1", ("150", "  ", "a", "Old"), status="x"),
        authority("2", ("150", "  ", "a", "New"), ("450", "  ", "a", "Old")),
    )
    row = linked("650", " 0", "a", "Old", file=file)
    assert (row["verdict"], row["authorized"]) == ("linked_by_reference", "New")


def test_without_authorities_every_heading_is_unlinked() -> None:
    records = frames(heading_record("1", ("650", " 0", "a", "Poetry"), ("100", "1 ", "a", "Boz")))
    rows = link_records(records.subfields, authority_file())
    assert rows.schema == AUTHORITY_LINKS
    assert rows["verdict"].to_list() == ["unlinked", "unlinked"]


def test_see_also_leads_to_what_is_established() -> None:
    rows = see_also(FILE).to_dicts()
    assert {(row["authority"], row["relation"], row["heading"], row["to"]) for row in rows} == {
        ("sh1", "broader", "Literature", None),
        ("sh2", "", "Poetry", "sh1"),
    }


def test_what_is_read_of_a_record() -> None:
    rows = {row["authority"]: row for row in FILE.authorities.to_dicts()}
    assert rows["sh5"]["status"] == "x" and rows["sh5"]["replaced_by"] == ["Poetry"]
    assert rows["n1"]["kind"] == "personal name" and rows["n1"]["as_name"]
    assert rows["m1"]["thesaurus"] == "mesh"
    assert not rows["sh6"]["established"] and not rows["sh7"]["established"]
    earlier = FILE.references.filter("is_earlier_form").to_dicts()
    assert [(row["authority"], row["heading"]) for row in earlier] == [("sh1", "Verse")]


def test_an_lccn_goes_before_the_control_number() -> None:
    file = authority_file(authority("local-7", TOPIC, ("010", "  ", "a", "sh 85-7 ")))
    assert file.authorities["authority"].to_list() == ["sh85000007"]


def test_of_an_authority_twice_the_newest_counts_with_its_references() -> None:
    old = authority("1", TOPIC, ("450", "  ", "a", "Old reference"), date="20250101000000.0")
    new = authority("1", ("150", "  ", "a", "Verse"), ("450", "  ", "a", "New reference"))
    for order in ((old, new), (new, old)):
        file = authority_file(*order)
        assert file.authorities["heading"].to_list() == ["Verse"]
        assert file.references["heading"].to_list() == ["New reference"]


def test_what_is_no_authority_record_is_rejected_with_the_reason() -> None:
    file = authority_file(
        heading_record("b", ("245", "00", "a", "A book")),
        authority("1", ("670", "  ", "a", "Source")),
        authority("", TOPIC),
    )
    assert file.authorities.height == 0
    assert file.rejected["fault"].to_list() == [
        "authority.not_authority",
        "authority.no_heading",
        "authority.no_number",
    ]


# ---- real records -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lcsh(data: Path) -> AuthorityFile:
    parts, count = [], 0
    with gzip.open(data / "marc/authority-lcsh-5000/5000.mrc.gz") as stream:
        for block in read_blocks(stream):
            read = read_columns(block, count + 1)
            count += read.records.height
            parts.append(read_authorities(read, authority_file="lcsh", file="lcsh/5000", thesaurus="lcsh"))
    return joined(parts)


def test_the_5000_subject_authorities(lcsh: AuthorityFile) -> None:
    rows = lcsh.authorities
    assert (rows.height, lcsh.references.height, lcsh.rejected.height) == (5000, 2207, 0)
    assert dict(rows.group_by("tag").len().iter_rows()) == {"100": 14, "110": 29, "150": 4709, "151": 248}
    assert rows["key"].is_unique().all()
    assert rows["thesaurus"].unique().to_list() == ["lcsh"]
    assert lcsh.references["reference"].value_counts().sort("reference")["count"].to_list() == [981, 1226]


def test_every_authority_finds_itself_and_every_reference_its_authority(lcsh: AuthorityFile) -> None:
    keys = lookup(lcsh)
    own = keys.filter(pl.col("rank") == 0)
    assert own.height == 5000
    back = own.join(lcsh.authorities, on=["authority", "key"], how="anti")
    assert back.height == 0
    assert keys.filter(pl.col("rank") == 1)["alternatives"].explode().n_unique() > 500


def links_of(data: Path, lcsh: AuthorityFile, pattern: str) -> pl.DataFrame:
    keys, parts, count = lookup(lcsh), [], 0
    for file in sorted((data / "marc").glob(pattern)):
        with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as stream:
            for block in read_blocks(stream):
                read = read_columns(block, count + 1)
                count += read.records.height
                parts.append(link_records(read.subfields, lcsh, keys))
    return pl.concat(parts)


def test_real_headings_are_linked_as_the_docs_say(data: Path, lcsh: AuthorityFile) -> None:
    """The figures are those of docs/how-to/authority-control.md."""
    for pattern, headings, subjects, whole, main, records in (
        ("aco/*.mrc.gz", 129_946, 33_119, 298, 86, 374),
        ("uva-marc8/*.mrc", 7_921, 4_161, 14, 13, 24),
    ):
        rows = links_of(data, lcsh, pattern)
        assert (rows.height, (rows["thesaurus"] == "lcsh").sum()) == (headings, subjects)
        assert set(rows["verdict"]) == {"linked", "unlinked"}
        assert rows.filter(pl.col("verdict") == "linked")["record"].n_unique() == records
        counts = dict(rows.filter(pl.col("verdict") == "linked").group_by("matched").len().iter_rows())
        assert counts == {"whole": whole, "main heading": main}
        # What is linked says the same words: the shortest check that no key is too coarse.
        same = rows.filter((pl.col("verdict") == "linked") & (pl.col("matched") == "whole"))
        folded = same.select(
            pl.col(name).str.to_lowercase().str.replace_all(r"[^a-z0-9]", "") for name in ("heading", "authorized")
        )
        assert folded["heading"].to_list() == folded["authorized"].to_list()
