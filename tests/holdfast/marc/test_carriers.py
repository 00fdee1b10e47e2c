"""What carries a record: a table, and any record against the rules written out plainly."""

from __future__ import annotations

import gzip
import io
from collections import Counter
from pathlib import Path

import polars as pl
import pymarc
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from benchmarks.marc_read import carrier_plainly
from holdfast.marc import read_blocks, read_columns
from holdfast.marc.normalize import normalize


def fixed(form: str, place: int = 23) -> str:
    return ("850423s1923    nyu" + " " * 22)[:place] + form + "          "[: 39 - place]


def record(
    leader: str = "am", f008: str | None = None, f007: tuple[str, ...] = (), f338: tuple[str, ...] = ()
) -> bytes:
    made = pymarc.Record(force_utf8=True, leader=f"00000n{leader} a2200000 i 4500")
    for value in f007:
        made.add_field(pymarc.Field("007", data=value))
    if f008 is not None:
        made.add_field(pymarc.Field("008", data=f008))
    made.add_field(pymarc.Field("245", pymarc.Indicators("0", "0"), [pymarc.Subfield("a", "A title")]))
    for value in f338:
        both = [pymarc.Subfield("a", "cr"), pymarc.Subfield("b", value), pymarc.Subfield("2", "rdacarrier")]
        made.add_field(pymarc.Field("338", pymarc.Indicators(" ", " "), both))
    return bytes(made.as_marc())


def carriers_of(*records: bytes) -> list[str | None]:
    found = []
    for block in read_blocks(io.BytesIO(b"".join(records))):
        frames = read_columns(block)
        index = frames.records.with_columns(pl.lit("f.mrc").alias("file"), pl.lit(0, pl.UInt32).alias("masked_values"))
        found += normalize(index, frames.subfields, source="s", window="2026-01-01")["carrier"].to_list()
    return found


E, M, T = "electronic", "microform", "tangible"


@pytest.mark.parametrize(
    ("made", "carrier"),
    [
        # The form of item, where the type of material has it.
        *((record(f008=fixed(form)), E) for form in "oqs"),
        *((record(f008=fixed(form)), M) for form in "abc"),
        *((record(f008=fixed(form)), T) for form in "dfr "),
        *((record(f008=fixed(form)), None) for form in "|xO0"),
        *((record(leader, fixed("o", 29)), E) for leader in ("em", "fm", "gm", "km", "om", "rm")),
        *((record(leader, fixed("o", 29)), T) for leader in ("am", "tm", "cm", "dm", "im", "jm", "pc")),
        *((record(leader, fixed("o")), T) for leader in ("em", "gm")),
        *((record(leader, fixed("o")), None) for leader in ("xm", "ym", "uy", "vm", "z ")),
        (record(f008="850423s1923"), None),
        (record(), None),
        (record("mm"), E),
        (record("mm", fixed(" ")), E),
        (record("mm", fixed(" "), f338=("nc",)), E),
        # It goes before 338 and 007: a print record made over into one of the e-book kept its 338.
        (record(f008=fixed("o"), f338=("nc",)), E),
        (record(f008=fixed("a"), f007=("cr |||",)), M),
        (record(f008=fixed("r"), f007=("cr |||",), f338=("cr",)), T),
        # 338 goes before the blank and before 007.
        (record(f008=fixed(" "), f338=("cr",)), E),
        (record(f008=fixed(" "), f338=(" hd ",)), M),
        (record(f338=("nc",), f007=("cr |||",)), T),
        (record(f338=("zu",)), None),
        (record(f338=("online resource",)), None),
        (record("jm", fixed(" "), f338=("sd",), f007=("sd f",)), T),
        # A book with a disc is a book.
        (record(f008=fixed(" "), f338=("nc", "cd")), T),
        (record(f008=fixed(" "), f007=("co |||",)), T),
        (record(f008=fixed(" "), f338=("nc", "cr"), f007=("cr |||",)), T),
        # 007 of the whole goes before the blank, but of a printed serial it may be of the version online.
        (record(f008=fixed(" "), f007=("cr |||",)), E),
        (record(f008=fixed(" "), f007=("hd afu",)), M),
        (record(f008=fixed(" "), f007=("ta", "cr |||")), T),
        (record("as", fixed(" "), f007=("cr |||",)), T),
        (record("as", fixed("|"), f007=("cr |||",)), E),
        (record("gm", fixed(" ", 29), f007=("vd cvaizq",)), T),
        # 007 alone.
        (record(f007=("co |||",)), E),
        (record(f007=("ta",)), T),
        (record(f007=("ta", "hd afu")), None),
        (record(f007=("zu", "")), None),
    ],
)
def test_what_carries_it(made: bytes, carrier: str | None) -> None:
    assert carriers_of(made) == [carrier]


LEADERS = st.sampled_from([kind + level for kind in "atefgmzu" for level in "ms"])
FIXED = st.one_of(st.none(), st.builds(fixed, st.sampled_from(" |oabr"), st.sampled_from([23, 29])), st.just("é" * 24))
OF_007 = st.lists(st.sampled_from(["cr |||", "co", "c", "hd", "ta", "vd", "zu", "é"]), max_size=3)
OF_338 = st.lists(st.sampled_from(["cr", "cd", "nc ", "hd", "zu", "c", "crr"]), max_size=3)


@given(st.lists(st.tuples(LEADERS, FIXED, OF_007, OF_338), min_size=1, max_size=6))
@example([("am", None, ["cr"], []), ("am", None, [], ["hd"]), ("am", None, [], []), ("am", None, ["hd"], ["cr"])])
def test_any_records_are_what_the_rules_say_one_by_one(
    many: list[tuple[str, str | None, list[str], list[str]]],
) -> None:
    made = [record(leader, f008, tuple(f007), tuple(f338)) for leader, f008, f007, f338 in many]
    assert carriers_of(*made) == [carrier_plainly(*each) for each in many]


def test_records_of_a_digitized_collection_are_electronic_and_their_originals_are_not(data: Path) -> None:
    found = {}
    for name in ("latest", "oclc"):
        with gzip.open(data / "marc" / "aco" / f"aco-{name}.mrc.gz") as stream:
            found[name] = Counter(carriers_of(stream.read()))
    assert found == {"latest": {E: 4857}, "oclc": {T: 3499, M: 15}}
