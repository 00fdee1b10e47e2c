"""docs/how-to/marc-command-line.md: each command is run, and prints what stands below it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from commands.main import main
from tests.conftest import ROOT

PAGE = ROOT / "docs" / "how-to" / "marc-command-line.md"


def commands() -> Iterator[tuple[str, str]]:
    """(command, what it prints), in the page's order."""
    for block in re.findall(r"```console\n(.*?)```", PAGE.read_text(), re.DOTALL):
        for each in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, said = each.partition("\n")
            yield command, said


def test_every_command_prints_what_the_page_says(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(data)
    ran = 0
    for command, said in commands():
        program, *words = shlex.split(command.replace("OUT/", f"{tmp_path}/"))
        assert program == "holdfast"
        assert main(words) in (0, 1), command
        printed = capsys.readouterr()
        out = (printed.out + printed.err).replace(f"{tmp_path}/", "OUT/")
        out = re.sub("[ ]+$", "", out, flags=re.MULTILINE)
        ran += 1
        if said.endswith("…\n"):
            assert out.startswith(said[:-2]), command
        else:
            assert out.strip("\n") == said.strip("\n"), command
    assert ran > 8
