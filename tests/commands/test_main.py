"""The command ends with one line where somebody's configuration is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from commands import run
from commands.main import main


@pytest.mark.parametrize("command", [("run", "--once"), ("check-config",)])
def test_a_wrong_rule_ends_with_its_message_and_starts_nothing(
    command: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "Started", lambda _: pytest.fail("something is started"))
    (tmp_path / "wrong.json").write_text('{"fields": {"24": {}}}')
    config = tmp_path / "holdfast.toml"
    config.write_text(
        f'[library]\nname = "X"\n[validation.schemas]\nbibliographic = "{tmp_path}/wrong.json"\n[sources.demo]\n'
    )
    assert main([*command, "--config", str(config)]) in (1, 2)
    error = capsys.readouterr().err
    assert "wrong.json: fields.24" in error and "allowed: tags of three digits or letters" in error
    assert "Traceback" not in error
