"""Holdings records as the rows of a feed."""

from __future__ import annotations

import io

import polars as pl

from holdfast.feeds.mfhd import read_mfhd
from holdfast.feeds.rows import Batch, mask_rows
from holdfast.settings import Feed
from tests.mfhd import LEADER, mfhd

FEED = Feed(kind="holdings", format="marc", constants={"copy_number": "1", "suppressed": "no"})


def read(*records: bytes) -> Batch:
    data = io.BytesIO(b"".join(records))
    parts = list(read_mfhd(data, FEED, feed_name="f", window="w", file_name="f.mrc", first_record=5))
    return Batch(pl.concat([each.rows for each in parts]), [pair for each in parts for pair in each.rejected], {})


def test_place_call_number_and_what_is_held() -> None:
    batch = read(
        mfhd("h1", ("852", "$bMAIN$cML/STACKS$kFolio$hAB 123$i.X4$zAsk at the desk$xbought from J. Doe"), ("866", "$av.1 (1990)-"), ("868", "$aIndex 1-5")),
        mfhd("h2", ("852", "$bMAIN"), ("853", "$81$av.$bno.$i(year)"), ("863", "$81.1$a1-10$i1990-1999"), ("863", "$81.2$a12$b3$i2001")),
        mfhd("h3", ("852", "$bMAIN"), leader=LEADER[:5] + "d" + LEADER[6:]),
    )  # fmt: skip
    rows = {row["source_number"]: row for row in batch.rows.iter_rows(named=True)}
    assert not batch.rejected and [row["record"] for row in rows.values()] == [5, 6, 7]
    first = rows["h1"]
    assert (first["bib"], first["location"], first["call_number"]) == ("in00000000001", "ML/STACKS", "Folio AB 123 .X4")
    assert (first["statement"], first["public_note"]) == ("v.1 (1990)- ; Index 1-5", "Ask at the desk")
    assert (first["staff_note"], first["copy_number"]) == ("bought from J. Doe", "1")
    assert (rows["h2"]["location"], rows["h2"]["statement"]) == ("MAIN", "v.1-10 (1990-1999) ; v.12:no.3 (2001)")
    assert rows["h3"]["suppressed"] == "true" and first["suppressed"] == "false"
    assert "J. Doe" not in repr(mask_rows(batch.rows, "holdings", "source_number", b"salt").rows())


def test_what_is_no_holdings_record_stops_only_itself() -> None:
    batch = read(
        mfhd("b1", ("852", "$bM"), leader="00000nam a2200000 a 4500"),
        mfhd("", ("852", "$bM")),
        mfhd("h1"),
        mfhd("h2", ("852", "$bM"), ("852", "$bN")),
        mfhd("h3", ("852", "$bM")),
        b"00050not MARC at all, and without a directory here\x1d",
    )
    assert batch.rows["source_number"].to_list() == ["h3"]
    codes = {record: each.code for record, each in batch.rejected}
    assert {key: codes[key] for key in (5, 6, 7, 8)} == {
        5: "mfhd.no_holdings", 6: "mfhd.no_number", 7: "mfhd.no_location", 8: "mfhd.two_locations",
    }  # fmt: skip
    assert codes[10].startswith("marc.") and "f.mrc record 10" in batch.rejected[-1][1].place
