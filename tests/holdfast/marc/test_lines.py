"""Records as lines: as yaz-marcdump has them, and as MarcEdit."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import polars as pl
import pytest

from holdfast import marc
from holdfast.marc.lines import to_lines
from tests.records import book


def frames(*fields: tuple[str, str, str], number: str = "1") -> marc.Frames:
    data = book(number, "Cost: $5 {or} 6\\7", fields=fields)
    return marc.read_columns(marc.Block(data, 0, True))


def text(frames: marc.Frames, style: str) -> str:
    return str(to_lines(frames, style)["text"].str.join("")[0])


def test_a_record_in_lines() -> None:
    lines = text(frames(("500", "a", "One")), "line").split("\n")
    assert re.fullmatch("[0-9]{5}nam a22[0-9]{5} i 4500", lines[0])
    assert lines[1:] == [
        "001 1",
        "003 XX-Test",
        "005 20260101000000.0",
        "008 260101s1853    enk           000 1 eng d",
        "245 10 $a Cost: $5 {or} 6\\7",
        "500    $a One",
        "",
        "",
    ]


def test_a_record_in_mnemonics() -> None:
    lines = text(frames(("500", "a", "One")), "mrk").split("\n")
    assert re.fullmatch(r"=LDR  [0-9]{5}nam\\a22[0-9]{5}\\i\\4500", lines[0])
    assert lines[4] == r"=008  260101s1853\\\\enk\\\\\\\\\\\000\1\eng\d"
    assert lines[5] == "=245  10$aCost: {dollar}5 {lcub}or{rcub} 6{bsol}7"
    assert lines[6] == r"=500  \\$aOne"


@pytest.mark.parametrize("style", ["line", "mrk"])
def test_a_line_stays_one_and_steers_no_terminal(style: str) -> None:
    found = text(frames(("500", "a", "a\nb\x1b[31m\u2028c\x85")), style)
    assert "a&#x0A;b&#x1B;[31m&#x2028;c&#x85;\n" in found
    assert len(found.splitlines()) == 8


def test_a_style_that_there_is_not_is_named() -> None:
    with pytest.raises(ValueError, match="must be one of line, mrk"):
        to_lines(frames(), "xml")


@pytest.mark.skipif(shutil.which("yaz-marcdump") is None, reason="yaz-marcdump is not installed")
@pytest.mark.parametrize("name", ["marc/aco/aco-latest.mrc.gz", "marc/authority-lcsh-5000/5000.mrc.gz"])
def test_as_yaz_marcdump_writes_them(data: Path, tmp_path: Path, name: str) -> None:
    head = next(marc.read(data / name, block_bytes=200_000))
    # Line breaks in values are shown as they stand there, and as &#x0A; here.
    values = head.subfields.with_columns(pl.col("value").str.replace_all("[\x00-\x1f]", ""))
    some = marc.Frames(head.records, values)
    assert some.records.height > 50
    file = tmp_path / "some.mrc"
    marc.write(some, file)
    theirs = subprocess.run(["yaz-marcdump", str(file)], capture_output=True, check=True).stdout.decode()
    assert "".join(to_lines(marc.read_all(file))["text"]) == theirs
