"""What is written is read back equal, whatever the columns hold."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from holdfast.parquet import write_parquet


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.one_of(st.none(), st.text(max_size=4)),
            st.one_of(st.none(), st.sampled_from(["245", "", "a", "é", "\x00", "\x00\x00"])),
            st.integers(0, 2**32 - 1),
            st.lists(st.text(max_size=3), max_size=2),
        ),
        max_size=12,
    )
)
def test_any_frame_reads_back_equal(tmp_path: Path, rows) -> None:
    schema = {"text": pl.String, "short": pl.String, "number": pl.UInt32, "list": pl.List(pl.String)}
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    path = tmp_path / "a.parquet"
    write_parquet(frame, path)
    assert_frame_equal(pl.read_parquet(path), frame)
    assert_frame_equal(pl.scan_parquet(path).filter(pl.col("number") > 5).collect(), frame.filter(pl.col("number") > 5))


def test_short_values_are_a_dictionary_and_many_are_not(tmp_path: Path) -> None:
    frame = pl.DataFrame({"tag": ["245", "100", None] * 500, "many": [f"{k:03}"[-3:] for k in range(1500)]})
    frame = frame.with_columns(pl.int_range(pl.len()).cast(pl.String).alias("many"))
    write_parquet(frame, tmp_path / "a.parquet")
    group = pq.ParquetFile(tmp_path / "a.parquet").metadata.row_group(0)
    assert group.column(0).has_dictionary_page and not group.column(1).has_dictionary_page
    assert pl.read_parquet_schema(tmp_path / "a.parquet") == frame.schema


@pytest.mark.parametrize(
    "column",
    [
        pl.Series("c", [b"\x00\xff", None], dtype=pl.Binary),
        pl.Series("c", [dt.datetime(2026, 1, 1, tzinfo=dt.UTC), None], dtype=pl.Datetime("us", "UTC")),
        pl.Series("c", [{"a": 1, "b": "x"}, None], dtype=pl.Struct({"a": pl.Int64, "b": pl.String})),
        pl.Series("c", [True, None], dtype=pl.Boolean),
        pl.Series("c", [1.5, None], dtype=pl.Float64),
        pl.Series("c", [dt.date(2026, 1, 1), None], dtype=pl.Date),
        pl.Series(
            "c", [[{"code": "a", "value": "x"}], []], dtype=pl.List(pl.Struct({"code": pl.String, "value": pl.String}))
        ),
        pl.Series("c", [None, None], dtype=pl.String),
        pl.Series("c", [], dtype=pl.String),
        pl.concat([pl.Series("c", ["a"]), pl.Series("c", ["bb", None])]),
    ],
)
def test_every_type_of_the_lake(tmp_path: Path, column) -> None:
    frame = column.to_frame()
    write_parquet(frame, tmp_path / "a.parquet")
    assert_frame_equal(pl.read_parquet(tmp_path / "a.parquet"), frame)


@pytest.mark.parametrize("rows", [0, 3])
def test_a_column_of_nothing_is_written_with_and_without_rows(tmp_path: Path, rows: int) -> None:
    # Parquet has no such type: Arrow writes it as numbers, all of them null.
    frame = pl.DataFrame(
        {"day": ["2026-01-05"] * rows, "never": [None] * rows}, schema={"day": pl.String, "never": pl.Null}
    )
    write_parquet(frame, tmp_path / "a.parquet")
    back = pl.read_parquet(tmp_path / "a.parquet")
    assert back.schema == {"day": pl.String, "never": pl.Int32}
    assert_frame_equal(back.with_columns(pl.col("never").cast(pl.Null)), frame)
