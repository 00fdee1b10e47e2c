"""`holdfast marc`: what every subcommand does with files that are there, missing, cut, packed or strangely named."""

from __future__ import annotations

import gzip
import http.server
import json
import os
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from commands.main import main
from commands.marc import SUBCOMMANDS
from commands.marc_inputs import FORMATS, shown_file
from holdfast.marc import reading
from tests.conftest import ROOT
from tests.records import book

Run = subprocess.CompletedProcess[bytes]


def command(*words: str | bytes | Path, given: bytes = b"", cwd: Path | None = None) -> Run:
    program = [sys.executable, "-m", "commands.main", "marc"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run([*program, *words], input=given, capture_output=True, cwd=cwd, env=environment, timeout=120)


def words_for(subcommand: str, file: str, folder: Path) -> list[str]:
    """A right command, but for the file."""
    more = {
        "grep": ["001", file],
        "convert": [file, "-o", str(folder / "out.xml")],
        "merge": [file, "-o", str(folder / "out.mrc")],
        "split": [file, "-n", "5", "-o", str(folder / "out")],
        "to-parquet": [file, "-o", str(folder / "out")],
    }
    return ["marc", subcommand, *more.get(subcommand, [file])]


@pytest.fixture
def books(tmp_path: Path) -> Path:
    path = tmp_path / "books.mrc"
    path.write_bytes(book("1") + book("2", "Emma") + book("3", "Middlemarch"))
    return path


@pytest.mark.parametrize("subcommand", [name for name in SUBCOMMANDS if name != "compare"])
def test_a_file_that_cannot_be_read_is_named_and_nothing_is_written(
    subcommand: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for file, said in ((tmp_path / "none.mrc", "no such file"), (tmp_path, "is a directory; name the files in it")):
        assert main(words_for(subcommand, str(file), tmp_path)) == 2
        printed = capsys.readouterr()
        assert f"{file}: {said}" in printed.err and not printed.out
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("subcommand", [name for name in SUBCOMMANDS if name != "compare"])
def test_an_empty_file_and_a_cut_one_are_no_crash(
    subcommand: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    packed = gzip.compress(b"".join(book(str(n), "A title " * n) for n in range(300)))
    inputs = tmp_path / "in"
    inputs.mkdir()
    (inputs / "empty.mrc").write_bytes(b"")
    (inputs / "cut.mrc.gz").write_bytes(packed[: len(packed) // 2])
    for name in ("empty.mrc", "cut.mrc.gz"):
        folder = tmp_path / f"out of {name}"
        folder.mkdir()
        code = main(words_for(subcommand, str(inputs / name), folder))
        printed = capsys.readouterr()
        assert code == (0 if subcommand == "grep" and name == "cut.mrc.gz" else 1)
        assert (
            "can't be read" in printed.out + printed.err or "could not be read" in printed.err or "marc." in printed.err
        )
        assert not list(folder.rglob("*.partial"))


def test_names_that_steer_terminals_or_are_no_utf_8_are_shown_safely(tmp_path: Path) -> None:
    names = [b"evil\x1b[31m\n[bold].mrc", b"na\xffme.mrc", b"-v.mrc"]
    for name in names:
        Path(os.fsdecode(os.path.join(os.fsencode(tmp_path), name))).write_bytes(book("7"))  # noqa: PTH118
    for subcommand in ("summary", "validate"):
        done = command(subcommand, "--exit-zero" if subcommand == "validate" else "--json", "--", *names, cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, b"")
        assert b"\x1b" not in done.stdout and b"evil\\x1b[31m\\n[bold].mrc" in done.stdout.replace(b"\\\\", b"\\")
        assert b"na\\xffme.mrc" in done.stdout.replace(b"\\\\", b"\\")
    found = command("grep", "001", *names[:2], cwd=tmp_path)
    assert found.stdout == b"evil\\x1b[31m\\n[bold].mrc:1:001 7\nna\\xffme.mrc:1:001 7\n"


def test_whoever_closes_the_pipe_hears_nothing(tmp_path: Path) -> None:
    file = tmp_path / "many.mrc"
    file.write_bytes(b"".join(book(str(n), "A title " * 20) for n in range(5000)))
    program = [sys.executable, "-m", "commands.main", "marc", "dump", *[str(file)] * 9]
    with subprocess.Popen(
        program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ | {"PYTHONPATH": str(ROOT)}
    ) as running:
        assert running.stdout is not None and running.stderr is not None
        assert running.stdout.readline()
        running.stdout.close()
        assert running.stderr.read() == b""
        assert running.wait(60) == 141


def test_whoever_closes_the_pipe_of_a_table_hears_nothing(books: Path) -> None:
    """rich has an end of its own for that."""
    read, write = os.pipe()
    os.close(read)
    program = [sys.executable, "-m", "commands.main", "marc", "summary", str(books)]
    with os.fdopen(write, "wb") as out:
        done = subprocess.run(
            program, stdout=out, stderr=subprocess.PIPE, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=False
        )
    assert (done.returncode, done.stderr) == (141, b"")


def test_control_c_leaves_nothing_half_done(
    books: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object, **__: object) -> Iterator[None]:
        assert [each.suffix for each in tmp_path.iterdir() if each != books] == [".partial"]
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr(reading, "read", interrupted)
    assert main(["marc", "convert", str(books), "-o", str(tmp_path / "out.mrc")]) == 130
    assert list(tmp_path.iterdir()) == [books]
    assert capsys.readouterr() == ("", "")


def test_standard_input_and_output_make_a_pipe(books: Path) -> None:
    there = command("convert", "-", "--to", "marcxml", "-o", "-", given=gzip.compress(books.read_bytes()))
    assert (there.returncode, there.stderr) == (0, b"")
    back = command("convert", "-", "-o", "-", given=there.stdout)
    assert back.stdout == books.read_bytes()


def test_standard_input_is_read_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["marc", "summary", "-", "-"]) == 2
    assert "standard input can be read once" in capsys.readouterr().err


def test_files_of_an_archive_have_their_own_names(
    books: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive = tmp_path / "drop.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("a/x.mrc", books.read_bytes())
        packed.writestr("y.mrc", book("9"))
    assert main(["marc", "grep", "001", str(archive), str(books)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{archive}/a/x.mrc:1:001 1",
        f"{archive}/a/x.mrc:2:001 2",
        f"{archive}/a/x.mrc:3:001 3",
        f"{archive}/y.mrc:4:001 9",
        f"{books}:1:001 1",
        f"{books}:2:001 2",
        f"{books}:3:001 3",
    ]


@pytest.fixture
def address(books: Path) -> Iterator[str]:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments, directory=str(books.parent))

        def log_message(self, *arguments: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_an_address_is_read_like_a_file(address: str) -> None:
    done = command("grep", "245$a", "Emma", f"{address}/books.mrc")
    assert done.stdout.decode() == f"{address}/books.mrc:2:245 10 $a Emma\n"
    missing = command("summary", f"{address.replace('//', '//me:secret@')}/none.mrc?token=secret")
    assert missing.returncode == 2 and f"{address}/none.mrc: can't be opened".encode() in missing.stderr
    assert b"secret" not in missing.stderr


def test_an_address_is_shown_without_what_is_secret_in_it() -> None:
    assert shown_file("ftp://me:secret@h/x.mrc") == "ftp://h/x.mrc"
    assert shown_file("https://h/x.mrc?sig=secret") == "https://h/x.mrc"


def test_options_may_stand_between_files(books: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["marc", "grep", "245$a", "emma", "-i", str(books), "-c", str(books)]) == 0
    assert capsys.readouterr().out == f"{books}:1\n{books}:1\n"


def test_marc_brings_in_neither_dagster_nor_what_it_does_not_need() -> None:
    code = (
        "import sys; from commands.main import main; main(['marc', 'summary', '-']); "
        "print([n for n in ('dagster', 'httpx', 'psycopg', 'redis', 'rdflib', 'matplotlib', 'fsspec') "
        "if n in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], input=book(), capture_output=True, env=os.environ | {"PYTHONPATH": str(ROOT)}
    )
    assert done.stderr == b"[]\n"


def test_formats_are_those_of_the_reader() -> None:
    assert tuple(reading.FORMATS) == FORMATS


def test_summary_has_figures_for_people_and_for_programs(books: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["marc", "summary", str(books)]) == 0
    said = capsys.readouterr().out
    assert said.startswith("3 records, all readable; 15 subfields")
    assert "utf-8           ascii       ascii              3   100.0 %" in said
    assert main(["marc", "summary", "--json", str(books), str(books)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["records"], found["control_numbers"]["duplicates"]) == (6, 3)


def test_a_bar_of_bytes_is_on_a_terminal_only(books: Path) -> None:
    leader, follower = os.openpty()
    words = ["-m", "commands.main", "marc", "summary", str(books)]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "120"}
    with os.fdopen(leader, "rb", 0) as terminal:
        done = subprocess.run([sys.executable, *words], stdout=subprocess.PIPE, stderr=follower, env=environment)
        os.close(follower)
        said = terminal.read(65536).decode()
    assert done.returncode == 0 and done.stdout.startswith(b"3 records")
    assert "books.mrc" in said and "━" in said
    assert command("summary", books).stderr == b""
