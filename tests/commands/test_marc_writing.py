"""`holdfast marc convert`, `merge`, `split` and `to-parquet`: nothing is lost, nothing is overwritten unasked."""

from __future__ import annotations

import base64
import gzip
import json
import re
import unicodedata
from pathlib import Path

import polars as pl
import pytest
import zstandard

from commands.main import main
from holdfast import marc
from tests.records import book


def written(*words: str | Path, code: int = 0) -> None:
    assert main(["marc", *map(str, words)]) == code


@pytest.mark.parametrize("suffix", [".xml", ".json", ".xml.gz", ".json.zst", ".mrc.gz"])
def test_there_and_back_are_the_same_bytes(data: Path, tmp_path: Path, suffix: str) -> None:
    file = data / "marc/pymarc/marc.dat"
    other, back = tmp_path / f"other{suffix}", tmp_path / "back.mrc"
    written("convert", file, "-o", other)
    written("convert", other, "-o", back)
    assert back.read_bytes() == file.read_bytes()
    head = other.read_bytes()
    unpacked = gzip.decompress(head) if suffix.endswith("gz") else head
    if suffix.endswith("zst"):
        unpacked = zstandard.ZstdDecompressor().decompressobj().decompress(head)
    assert unpacked.startswith({"x": b"<?xml", "j": b"[\n{", "m": b"01060cam"}[suffix[1]])
    assert sorted(each.name for each in tmp_path.iterdir()) == sorted([other.name, back.name])


def test_bibframe_says_what_it_leaves_out(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written("convert", data / "marc/pymarc/marc.dat", "-o", tmp_path / "b.jsonld")
    assert "fields that have no place in the format: 263 (4)" in capsys.readouterr().err
    assert len(json.loads((tmp_path / "b.jsonld").read_text())) == 20


def test_what_bibframe_says_beyond_marc_is_counted(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = sorted((data / "bibframe").rglob("*.rdf"))[0]
    written("convert", file, "-o", tmp_path / "b.mrc")
    unmapped = sum(part.unmapped["statements"].sum() for part in marc.read(file))
    said = capsys.readouterr().err
    assert said.startswith("statements of BIBFRAME that have no place in MARC: ")
    assert sum(int(count.replace(",", "")) for count in re.findall(r"\(([0-9,]+)\)", said)) == unmapped > 0


def test_marc_8_becomes_utf_8_in_form_c(data: Path, tmp_path: Path) -> None:
    file, out = data / "marc/folio/61PRINT160129.mrc", tmp_path / "utf8.mrc"
    written("convert", file, "-o", out, "--encoding", "utf-8", "--nfc")
    before, after = marc.read_all(file), marc.read_all(out)
    assert set(after.records["leader"].str.slice(9, 1)) == {"a"}
    assert after.subfields["value"].to_list() == [
        value and unicodedata.normalize("NFC", value) for value in before.subfields["value"]
    ]
    assert (after.subfields["value"] != before.subfields["value"]).any()


def test_what_cannot_be_read_or_written_is_kept_with_its_bytes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad, odd = b"00012no record\x1d", book("3", "a\x0bb")
    file, out = tmp_path / "in.mrc", tmp_path / "out.xml"
    file.write_bytes(book("1") + bad + odd + book("4"))
    written("convert", file, file, "-o", out, code=1)
    assert "4 records could not be read or written" in capsys.readouterr().err
    rows = [json.loads(line) for line in Path(f"{out}.rejected.jsonl").read_text().splitlines()]
    assert [(row["record"], row["offset"]) for row in rows] == [(2, len(book("1"))), (3, len(book("1") + bad))] * 2
    assert [base64.b64decode(row["bytes_base64"]) for row in rows] == [bad, odd] * 2
    assert rows[1]["code"] == "marc.cannot_be_written" and "XML" in rows[1]["rule"] and rows[1]["hint"]
    found = marc.read_all(out).subfields.filter(marc.query("001"))
    assert found["value"].to_list() == ["1", "4"] * 2


def test_rejections_of_an_earlier_run_do_not_stay(tmp_path: Path) -> None:
    file, out = tmp_path / "in.mrc", tmp_path / "out.mrc"
    file.write_bytes(book() + b"nothing\x1d")
    written("convert", file, "-o", out, code=1)
    file.write_bytes(book())
    written("convert", file, "-o", out, code=2)
    written("convert", file, "-o", out, "--force")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["in.mrc", "out.mrc"]


def test_nothing_is_replaced_unasked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, out = tmp_path / "in.mrc", tmp_path / "out.mrc"
    file.write_bytes(book())
    out.write_bytes(b"dear to somebody")
    for words, said in (
        (("convert", file, "-o", out), "is there already; name another one, or replace it with --force"),
        (("grep", "001", file, "-o", out), "is there already"),
        (("convert", file, "-o", file, "--force"), "is one of the files to read"),
        (("merge", file, "-o", tmp_path / "none" / "x"), "there is no folder"),
        (("split", file, "-n", "1", "-o", tmp_path), "is a directory; name a prefix in it"),
        (("to-parquet", file, "-o", out), "is a file; name a folder"),
        (("to-parquet", file, "-o", tmp_path), "holds other files"),
    ):
        written(*words, code=2)
        assert said in capsys.readouterr().err
    assert out.read_bytes() == b"dear to somebody" and len(list(tmp_path.iterdir())) == 2
    written("convert", file, "-o", out, "--force")
    assert out.read_bytes() == book()


def test_a_file_is_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, out = tmp_path / "in.mrc", tmp_path / "out.mrc"
    file.write_bytes(book())

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("commands.marc_outputs.os.fsync", full)
    written("convert", file, "-o", out, code=2)
    assert [each.name for each in tmp_path.iterdir()] == ["in.mrc"]


@pytest.mark.parametrize("block_bytes", [4_000_000, 100])
def test_split_and_merge_give_the_file_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block_bytes: int) -> None:
    monkeypatch.setattr(
        marc.reading.read, "__kwdefaults__", marc.reading.read.__kwdefaults__ | {"block_bytes": block_bytes}
    )
    data = b"".join(book(str(n)) for n in range(11))
    file, out = tmp_path / "in.mrc", tmp_path / "all.mrc"
    file.write_bytes(data)
    written("split", file, "-n", "4", "-o", tmp_path / "part")
    parts = sorted(tmp_path.glob("part-*.mrc"))
    assert [part.read_bytes().count(b"\x1d") for part in parts] == [4, 4, 3]
    written("merge", *parts, "-o", out)
    assert out.read_bytes() == data
    written("split", file, "-n", "11", "-o", tmp_path / "x", "--to", "marcxml", "--pack", "gz")
    (one,) = tmp_path.glob("x-*")
    assert marc.read_all(one).records.height == 11


def test_split_keeps_what_it_cannot_read(tmp_path: Path) -> None:
    file = tmp_path / "in.mrc"
    file.write_bytes(book("1") + b"nothing\x1d" + book("2"))
    written("split", file, "-n", "2", "-o", tmp_path / "part", code=1)
    assert (tmp_path / "part-00001.mrc").read_bytes() == book("1") + book("2")
    (row,) = map(json.loads, (tmp_path / "part.rejected.jsonl").read_text().splitlines())
    assert base64.b64decode(row["bytes_base64"]) == b"nothing\x1d"


def test_parquet_has_records_subfields_and_facts_of_all_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, two, folder = tmp_path / "1.mrc", tmp_path / "2.xml", tmp_path / "tables"
    one.write_bytes(book("1", fields=(("020", "a", "0306406152"),)) + b"nothing\x1d")
    marc.write(marc.read_columns(marc.Block(book("2", "Cafe\u0301"), 0, True)), two, format="marcxml")
    written("to-parquet", one, two, "-o", folder, code=1)
    assert "3 records, 11 subfields; 1 can't be read" in capsys.readouterr().out
    records = marc.scan(folder, "records").collect()
    assert records.select("record", "file", "format").rows() == [
        (1, str(one), "iso2709"),
        (2, str(one), "iso2709"),
        (3, str(two), "marcxml"),
    ]
    assert records["fault"].is_null().to_list() == [True, False, True]
    facts = marc.scan(folder, "facts").select("record", "control_number", "isbn", "title").collect()
    assert facts.rows() == [(1, "1", ["9780306406157"], "Bleak house"), (3, "2", [], "Café")]
    titles = marc.scan(folder).filter(marc.query("245$a")).select("record", "value", "nfc").collect()
    assert titles.rows() == [(1, "Bleak house", None), (3, "Cafe\u0301", "Café")]
    written("to-parquet", one, "-o", folder, code=2)
    written("to-parquet", one, "-o", folder, "--force", code=1)
    assert marc.scan(folder, "records").select(pl.len()).collect().item() == 2
    assert sorted(each.name for each in tmp_path.iterdir()) == ["1.mrc", "2.xml", "tables"]
