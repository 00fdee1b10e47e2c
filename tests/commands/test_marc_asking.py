"""`holdfast marc validate`, `grep` and `dump`: what they find, and what they say of it."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from commands.main import main
from holdfast import marc
from holdfast.marc.validation import load_rules, validate
from tests.records import book


@pytest.fixture
def books(tmp_path: Path) -> Path:
    path = tmp_path / "books.mrc"
    fields = (("020", "a", "0306406153"), ("650", "a", "Cafe\u0301s"), ("650", "a", "Coffee"))
    path.write_bytes(book("1", fields=fields) + b"nothing\x1d" + book("2", "Emma"))
    return path


def said(capsys: pytest.CaptureFixture[str], *words: str | Path, code: int) -> str:
    assert main(["marc", *map(str, words)]) == code
    return capsys.readouterr().out


# ---- validate


def test_issues_have_their_place_and_records_that_cannot_be_read_are_among_them(
    books: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = said(capsys, "validate", books, "--code", "isbn.*", "--code", "marc.*", code=1).splitlines()
    assert out[0].startswith(f"{books}:1 (1): warning isbn.check_digit: 020 (1) $a, '0306406153': ")
    assert out[1].startswith(f"{books}:2: error marc.not_marc: byte ") and "can't be read: " in out[1]
    assert out[2:] == [
        "         1  error    marc.not_marc",
        "         1  warning  isbn.check_digit",
        "2 issues in 2 of 3 records",
    ]


def test_they_are_those_of_the_validator(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = data / "marc/pymarc/marc.dat"
    expected = validate(marc.read_all(file), load_rules())
    assert main(["marc", "validate", str(file), "--json", "--exit-zero"]) == 0
    printed = capsys.readouterr()
    rows = [json.loads(line) for line in printed.out.splitlines()]
    assert [tuple(row[name] for name in expected.columns) for row in rows] == expected.rows()
    assert rows and {row["file"] for row in rows} == {str(file)}
    assert f"{len(rows)} issues in" in printed.err
    assert main(["marc", "validate", str(file), "--csv", "--severity", "warning", "--exit-zero"]) == 0
    table = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    chosen = [row for row in rows if row["severity"] != "info"]
    assert [(row["record"], row["code"]) for row in table] == [(str(row["record"]), row["code"]) for row in chosen]


def test_the_exit_code_is_of_errors_and_a_limit_hides_none(books: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = said(capsys, "validate", books, "--limit", "1", "--code", "isbn.*", "--code", "marc.*", code=1)
    assert len(out.splitlines()) == 4 and "2 issues (1 listed)" in out
    said(capsys, "validate", books, "--code", "isbn.*", code=0)
    said(capsys, "validate", books, "--exit-zero", code=0)


def test_rules_and_schemas_of_ones_own(books: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rules = tmp_path / "holdfast.toml"
    rules.write_text(
        '[library]\nname = "L"\n[sources.a]\n[validation.severity]\n"isbn.check_digit" = "error"\n'
        '[[validation.rules]]\nname = "shelf_mark"\nfields = ["852$h"]\nrequired = true\nsources = ["a"]\n'
    )
    out = said(capsys, "validate", books, "--rules", rules, "--code", "isbn.*", code=1)
    assert "error isbn.check_digit" in out
    out = said(capsys, "validate", books, "--rules", rules, "--source", "a", "--code", "local.*", "--exit-zero", code=0)
    assert "2 issues in 2 of 3 records" in out and "local.shelf_mark" in out
    schema = tmp_path / "own.json"
    schema.write_text(json.dumps({"title": "Own", "fields": {"245": {"tag": "245", "label": "Title"}}}))
    out = said(capsys, "validate", books, "--schema", schema, "--code", "field.undefined", "--exit-zero", code=0)
    assert ": 650 (1)" in out


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("--code", "isbn.chek"), "no issue has this code; near it: isbn.check_digit"),
        (("--schema", "/none.json"), "none.json"),
        (("--rules", "/none.toml"), "/none.toml: no such file"),
        (("--source", "a"), "--source: needs --rules"),
        (("--unimarc",), "--schema PATH"),
    ],
)
def test_what_is_wrong_in_the_command_is_said(
    books: Path, words: tuple[str, ...], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["marc", "validate", str(books), *words]) == 2
    printed = capsys.readouterr()
    assert text in printed.err and not printed.out


# ---- grep


@pytest.mark.parametrize(
    ("words", "lines"),
    [
        (("245$a",), ["1:245 10 $a Bleak house", "3:245 10 $a Emma"]),
        (("245$a", "^E"), ["3:245 10 $a Emma"]),
        (("245$a", "^e", "-i"), ["3:245 10 $a Emma"]),
        (("245$a", "^E", "-v"), ["1:245 10 $a Bleak house"]),
        (("6XX$a", "Caf\u00e9s"), ["1:650    $a Cafe\u0301s"]),
        (("6XX$a", "Cafe\u0301s"), ["1:650    $a Cafe\u0301s"]),
        (("6XX$a", "^C", "-m", "1"), ["1:650    $a Cafe\u0301s"]),
        (("6XX$a", "^X", "-v"), ["1:650    $a Cafe\u0301s", "1:650    $a Coffee"]),
        (("650", "-v"), ["3:001 2"]),
        (("650$a", "Coffee", "-L"), ["3:001 2"]),
        (("020,003",), ["1:003 XX-Test", "1:020    $a 0306406153", "3:003 XX-Test"]),
    ],
)
def test_grep_finds_places(
    books: Path, words: tuple[str, ...], lines: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    query, *more = words
    pattern = [more.pop(0)] if more and not more[0].startswith("-") else []
    out = said(capsys, "grep", query, *pattern, books, *more, code=0).splitlines()
    assert [line.removeprefix(f"{books}:") for line in out] == lines


def test_grep_looks_into_the_leader_too(books: Path, capsys: pytest.CaptureFixture[str]) -> None:
    leader = book("2", "Emma")[:24].decode()
    assert said(capsys, "grep", "LDR", leader, books, code=0) == f"{books}:3:LDR {leader}\n"
    assert said(capsys, "grep", "ldr,650", "^.{5}nam|^Coffee", books, "-c", code=0) == "3\n"


def test_grep_is_1_where_nothing_is_and_2_where_it_cannot_be_said(
    books: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said(capsys, "grep", "245", "Nothing of the kind", books, code=1) == ""
    for words, text in (
        (("245$a", "(", books), "is no regular expression: unclosed group"),
        (("24", books), "not a tag of three characters"),
    ):
        assert main(["marc", "grep", *map(str, words)]) == 2
        assert text in capsys.readouterr().err


def test_grep_shows_counts_objects_and_whole_records(books: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "grep", "650", books, "-c", code=0) == "2\n"
    assert said(capsys, "grep", "650", books, "-c", "--record", code=0) == "1\n"
    assert said(capsys, "grep", "650", books, books, "-c", code=0) == f"{books}:2\n{books}:2\n"
    row: dict[str, Any] = json.loads(said(capsys, "grep", "245", "Emma", books, "--json", code=0))
    assert row == {"file": str(books), "record": 3, "field": 4, "tag": "245", "ind1": "1", "ind2": "0"} | {
        "code": "a",
        "value": "Emma",
    }
    whole = said(capsys, "grep", "245", "Emma", books, "--record", code=0)
    assert whole == said(capsys, "dump", books, "--record", "3", code=0) and whole.count("\n") == 7


def test_grep_writes_the_records_that_it_finds(books: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "found.mrc"
    assert said(capsys, "grep", "245", "Emma", books, "-o", out, code=0) == f"{out}: 1 records\n"
    assert out.read_bytes() == book("2", "Emma")
    said(capsys, "grep", "245", "Emma", books, "-o", tmp_path / "found.xml", code=0)
    assert (tmp_path / "found.xml").read_text().startswith("<?xml")
    said(capsys, "grep", "650", books, "-v", "-o", out, "--force", code=0)
    assert out.read_bytes() == book("2", "Emma")


def test_a_pattern_that_is_also_a_file_is_given_by_e(
    books: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(books.parent)
    Path("Emma").write_bytes(book("9"))
    assert said(capsys, "grep", "245$a", "Emma", "books.mrc", code=0).splitlines()[0] == "Emma:1:245 10 $a Bleak house"
    assert said(capsys, "grep", "-e", "Emma", "245$a", "books.mrc", code=0) == "books.mrc:3:245 10 $a Emma\n"


# ---- dump


def test_dump_shows_the_records_that_are_asked_for(books: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["marc", "dump", str(books)]) == 1
    printed = capsys.readouterr()
    assert printed.out.count("\n001 ") == 2
    assert printed.err.startswith(f"{books} record 2 byte ") and "marc.not_marc" in printed.err
    assert "\n001 2\n" in said(capsys, "dump", books, "--control-number", "2", code=0)
    assert said(capsys, "dump", books, books, "--record", "3-", code=0).count("\n001 2\n") == 2
    assert said(capsys, "dump", books, "--record", "1", "--record", "3", code=0).count("\n001 ") == 2
    assert said(capsys, "dump", books, "--record", "9", code=1) == ""
    with pytest.raises(SystemExit):
        main(["marc", "dump", str(books), "--record", "0"])
