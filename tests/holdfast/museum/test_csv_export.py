from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdfast import csv_rows
from holdfast.csv_rows import CsvRow
from holdfast.museum.csv_export import read_csv
from holdfast.outcomes import Rejection
from holdfast.settings import Collection

COLLECTION = Collection(format="csv", columns={"identifier": "id", "title": "title"})


def read(tmp_path: Path, data: bytes, collection: Collection = COLLECTION) -> tuple[list[CsvRow], list[Rejection]]:
    path = tmp_path / "export.csv"
    path.write_bytes(data)
    found = list(read_csv(path, collection))
    return [each for each in found if isinstance(each, CsvRow)], [each for each in found if isinstance(each, Rejection)]


def test_rows_have_their_number_and_the_line_they_start_on(tmp_path: Path) -> None:
    rows, rejections = read(tmp_path, b'\xef\xbb\xbfid,title\r\n1,"a\r\nb"\r\n\r\n2,c\r\n')
    assert [(row.number, row.line, row.cells) for row in rows] == [
        (1, 2, {"id": "1", "title": "a\r\nb"}),
        (2, 5, {"id": "2", "title": "c"}),
    ]
    assert rejections == []


def test_cells_that_look_like_formulas_are_kept_verbatim(tmp_path: Path) -> None:
    rows, _ = read(tmp_path, b'id,title\n1,"=HYPERLINK(""http://x"")"\n2,@SUM(A1)\n3, +1 \n')
    assert [row.cells["title"] for row in rows] == ['=HYPERLINK("http://x")', "@SUM(A1)", " +1 "]


def test_a_ragged_row_is_rejected_alone(tmp_path: Path) -> None:
    rows, (rejection,) = read(tmp_path, b"id,title\n1,a\n2\n3,c\n4,d,e\n"[:-6])
    assert [row.cells["id"] for row in rows] == ["1", "3"]
    assert rejection.code == "csv.ragged"
    assert rejection.place == "export.csv row 2 line 3 column 'title'"
    assert "1 cells, the header 2" in rejection.rule
    assert rejection.hint


def test_a_byte_of_another_encoding_stops_only_its_row_and_names_its_column(tmp_path: Path) -> None:
    rows, (rejection,) = read(tmp_path, "id,title\n1,é\n".encode() + "2,é\n".encode("cp1252") + b"3,c\n")
    assert [row.cells["title"] for row in rows] == ["é", "c"]
    assert (rejection.code, rejection.place) == ("csv.encoding", "export.csv row 2 line 3 column 'title'")
    assert "0xE9" in rejection.rule
    assert "é" not in rejection.preview


@pytest.mark.parametrize(("encoding", "text"), [("cp1252", "“Müller”"), ("latin-1", "Müller")])
def test_other_encodings_are_read_as_the_collection_says(tmp_path: Path, encoding: str, text: str) -> None:
    collection = COLLECTION.model_copy(update={"encoding": encoding, "delimiter": ";"})
    rows, _ = read(tmp_path, f"id;title\n1;{text}\n".encode(encoding), collection)
    assert rows[0].cells["title"] == text


@pytest.mark.parametrize(
    ("data", "encoding", "code"),
    [
        (b"", "utf-8", "csv.empty"),
        (b"\n\n", "utf-8", "csv.empty"),
        ("id,title\n".encode("utf-16"), "utf-8", "csv.encoding"),
        (b"\xef\xbb\xbfid,title\n", "cp1252", "csv.encoding"),
        (b"id,titel\n1,a\n", "utf-8", "csv.column_missing"),
        (b"id,title,title\n1,a,b\n", "utf-8", "csv.column_twice"),
        (gzip.compress(b"id,title\n" + b"1,a\n" * 99, mtime=0)[:-12], "utf-8", "file.gzip"),
    ],
)
def test_what_stops_the_file_is_one_rejection_of_the_file(
    tmp_path: Path, data: bytes, encoding: str, code: str
) -> None:
    _, rejections = read(tmp_path, data, COLLECTION.model_copy(update={"encoding": encoding}))
    assert [(each.code, each.unit) for each in rejections] == [(code, "file")]
    assert "export.csv" in rejections[0].place


def test_a_missing_column_names_the_one_that_was_meant(tmp_path: Path) -> None:
    _, (rejection,) = read(tmp_path, b"id,titel\n1,a\n")
    assert "'titel'" in rejection.hint


def test_a_stray_quote_does_not_swallow_the_rows_that_follow(tmp_path: Path) -> None:
    rows, rejections = read(tmp_path, b'id,title\n1,a\n2,"b\n3,c\n4,d\n5,"e"\n6,f\n')
    assert [row.cells["id"] for row in rows] == ["1", "3", "4", "5", "6"]
    assert [(each.code, each.place) for each in rejections] == [("csv.quote", "export.csv row 2 line 3")]


def test_a_line_without_end_is_rejected_and_the_next_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_rows, "LINE_CHARACTERS", 1000)
    rows, (rejection,) = read(tmp_path, b"id,title\n1," + b"x" * 5000 + b"\n2,b\n")
    assert rejection.code == "csv.too_long"
    assert [row.cells["id"] for row in rows] == ["2"]


def test_a_row_of_endless_lines_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_rows, "ROW_CHARACTERS", 200)
    _, rejections = read(tmp_path, b'id,title\n"' + b'","\n' * 500)
    assert {each.code for each in rejections} <= {"csv.too_long", "csv.ragged", "csv.quote"}
    assert rejections


def test_a_nul_is_rejected_with_its_column(tmp_path: Path) -> None:
    rows, (rejection,) = read(tmp_path, b"id,title\n1,a\0b\n2,c\n")
    assert (rejection.code, len(rows)) == ("csv.nul", 1)


def test_a_gzip_file_is_read_whatever_its_name(tmp_path: Path) -> None:
    rows, _ = read(tmp_path, gzip.compress(b"id,title\n1,a\n", mtime=0))
    assert len(rows) == 1


CELLS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=12) | st.text(
    '",\r\n a', max_size=8
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    rows=st.integers(2, 5).flatmap(lambda n: st.lists(st.lists(CELLS, min_size=n, max_size=n), max_size=12)),
    mark=st.sampled_from([b"", b"\xef\xbb\xbf"]),
    # Python's writer quotes the characters of its own line end only, so that bare quoting wants CRLF.
    form=st.sampled_from([("\n", csv.QUOTE_ALL), ("\r", csv.QUOTE_ALL), ("\r\n", csv.QUOTE_MINIMAL)]),
)
def test_any_table_is_read_as_python_reads_it(
    tmp_path: Path, rows: list[list[str]], form: tuple[str, int], mark: bytes
) -> None:
    width = len(rows[0]) if rows else 2
    header = ["id", "title", *(f"c{i}" for i in range(width - 2))]
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator=form[0], quoting=form[1])
    writer.writerows([header, *rows])
    data = text.getvalue().encode()
    expected = [row for row in csv.reader(io.StringIO(text.getvalue(), newline="")) if row][1:]
    found, rejections = read(tmp_path, mark + data)
    assert rejections == []
    assert [list(row.cells.values()) for row in found] == expected
    assert [row.number for row in found] == list(range(1, len(expected) + 1))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_at_all_raise_nothing(tmp_path: Path, data: bytes) -> None:
    read(tmp_path, b"id,title\n1,a\n" + data)
    read(tmp_path, data)
