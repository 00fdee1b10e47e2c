"""holdfast.toml: a fault names the key, what was found and what is allowed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from holdfast.settings import Budget, SettingsError, load_settings, parse_settings

ROOT = Path(__file__).resolve().parents[3]
LEAST = '[library]\nname = "L"\n[sources.ebooks]\n'
RULE = '[[validation.rules]]\nname = "mine"\nfields = ["500"]\n'


def fault(text: str) -> str:
    with pytest.raises(SettingsError) as caught:
        parse_settings(text)
    return str(caught.value)


def test_the_file_of_the_repository_is_right() -> None:
    settings = load_settings(ROOT / "holdfast.toml")
    assert {"ebooks", "consortium", "own"} <= settings.sources.keys()
    assert settings.root == ROOT


def test_what_the_page_on_validation_shows_is_right() -> None:
    text = (ROOT / "docs" / "how-to" / "validation.md").read_text()
    schemas, severity, rules, stop = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    shown = parse_settings(LEAST + stop.split("\n", 1)[1] + severity + rules)
    assert len(shown.validation.rules) == 5 and shown.sources["ebooks"].stop_on == ("isbn.check_digit", "local.proxy")
    assert parse_settings(LEAST + schemas).schemas["unimarc"] == Path("schemas/unimarc.json.gz").resolve()


def test_the_least_file_has_every_default() -> None:
    settings = parse_settings(LEAST)
    assert settings.sources["ebooks"].match[0] == "control_number"
    assert settings.budget_of("ebooks") == Budget()


@pytest.mark.parametrize(
    ("text", "key", "found", "allowed"),
    [
        (LEAST + 'patern = "*.mrc"\n', "sources.ebooks.patern", "no such key", "did you mean 'pattern'?"),
        (LEAST + "[libary]\n", "libary", "no such key", "did you mean 'library'?"),
        (LEAST + 'schedule = "nightly"\n', "sources.ebooks.schedule", "found 'nightly'", "five cron fields"),
        (LEAST + 'protected = ["24"]\n', "sources.ebooks.protected.0", "found '24'", "a MARC tag"),
        (LEAST + 'match = ["author"]\n', "sources.ebooks.match.0", "found 'author'", "'control_number', 'ocn'"),
        (LEAST + 'match = ["title", "ocn"]\n', "sources.ebooks", "match", "title stands last"),
        (LEAST + 'match = ["ocn", "ocn"]\n', "sources.ebooks", "match", "named twice"),
        (LEAST + 'kind = "oai"\n', "sources.ebooks.kind", "found 'oai'", "'files', 'oai-pmh' or 'sru'"),
        (
            LEAST + 'url = "http://h/x"\n',
            "sources.ebooks",
            "found 'http://h/x'",
            "sftp:// or ftp:// or ftps:// or s3://",
        ),
        (LEAST + 'kind = "oai-pmh"\n', "sources.ebooks", "found ''", "http:// or https://"),
        (
            LEAST + 'url = "ftp://me:secret@h/x"\n',
            "sources.ebooks.url",
            "no user and no password",
            "environment variables",
        ),
        (LEAST + 'url = "sftp://h/x"\n', "sources.ebooks", "known_hosts: missing", "ssh-keyscan"),
        (LEAST + 'rhythm = "sometimes"\n', "sources.ebooks.rhythm", "found 'sometimes'", "weekly mon"),
        (LEAST + "file_day = '(?P<d>x)'\n", "sources.ebooks.file_day", "found", "(?P<day>…)"),
        (LEAST + "file_day = '('\n", "sources.ebooks.file_day", "found '('", "a regular expression"),
        (LEAST + "number_pattern = 'x'\n", "sources.ebooks.number_pattern", "found 'x'", "(?P<number>…)"),
        (LEAST + 'kind = "sru"\nurl = "https://h"\n', "sources.ebooks", "query: missing", "{day}"),
        (LEAST + 'kind = "sru"\nurl = "https://h"\nquery = "x={d}"\n', "sources.ebooks", "query", "{day:%Y%m%d}"),
        (LEAST + '[collections.c]\nformat = "lido"\nkind = "oai-pmh"\n', "collections.c", "found ''", "https://"),
        (
            LEAST + '[collections.c]\nformat = "csv"\nkind = "oai-pmh"\nurl = "https://h"\n',
            "collections.c",
            "found 'csv'",
            "lido or oai_dc",
        ),
        (
            LEAST + '[collections.c]\nformat = "lido"\nkind = "oai-pmh"\nurl = "https://h"\npattern = "*.csv"\n',
            "collections.c",
            "found '*.csv'",
            "oai-pmh-2026-01-31.xml",
        ),
        (LEAST + "still_seconds = -1\n", "sources.ebooks.still_seconds", "found -1", "greater than or equal to 0"),
        (LEAST + "[limits]\nblock_bytes = 1\n", "limits.block_bytes", "found 1", "greater than or equal to 100000"),
        (LEAST + '[ils]\nchunk_records = "many"\n', "ils.chunk_records", "found 'many'", "integer"),
        (LEAST + "[budgets.ebook]\n", "budgets", "ebook: no such source", "allowed: default, ebooks"),
        (LEAST + '[scanners.a]\nkind = "escl"\n', "scanners.a", "address", "http://127.0.0.1:8090/eSCL"),
        (LEAST + '[collections.c]\nformat = "csv"\n', "collections.c", "columns", "'identifier' and 'title'"),
        (LEAST + '[masking]\nfields = ["patron"]\n', "masking.fields.0", "found 'patron'", "'541$h'"),
        ('[library]\nname = "L"\ntimezone = "Mars"\n[sources.a]\n', "library.timezone", "found 'Mars'", "IANA"),
        ('[library]\nname = "L"\n[sources."A|B"]\n', "sources", "found 'A|B'", "lower-case letters"),
        ('[library]\nname = "L"\n', "sources", "missing", "add it"),
        ("[sources.a]\n", "library", "missing", "add it"),
        (LEAST + 'root = "/"\n', "sources.ebooks.root", "no such key", "allowed: title"),
        ('root = "/"\n' + LEAST, "root", "no such key", "allowed: library"),
        (
            LEAST + 'stop_on = ["isbn.chek_digit"]\n',
            "sources.ebooks.stop_on",
            "no such issue",
            "did you mean 'isbn.check_digit'?",
        ),
        (LEAST + 'stop_on = ["code.organization"]\n', "sources.ebooks.stop_on", "is off", "error, warning or info"),
        (LEAST + 'dialect = "unimarc"\n', "validation.schemas.unimarc", "missing", "name an Avram schema"),
        (LEAST + 'dialect = "usmarc"\n', "sources.ebooks.dialect", "found 'usmarc'", "'marc21' or 'unimarc'"),
        (
            LEAST + '[validation.schemas]\nbibliografic = "x"\n',
            "validation.schemas.bibliografic",
            "no such key",
            "did you mean 'bibliographic'?",
        ),
        (
            LEAST + '[validation.severity]\n"isbn.form" = "fatal"\n',
            "validation.severity.isbn.form",
            "found 'fatal'",
            "'error', 'warning', 'info' or 'off'",
        ),
        (
            LEAST + '[validation.severity]\n"isbn" = "info"\n',
            "validation",
            "no such issue",
            "allowed: record.no_schema",
        ),
        (
            LEAST + RULE + 'at_most = 1\nsources = ["ebook"]\n',
            "validation.rules",
            "ebook: no such source",
            "allowed: ebooks",
        ),
        (
            LEAST + RULE + "at_most = 1\n" + RULE + "at_most = 1\n",
            "validation",
            "mine: named twice",
            "a name of its own",
        ),
        (LEAST + RULE + "at_mots = 1\n", "validation.rules.0.at_mots", "no such key", "did you mean 'at_most'?"),
        (LEAST + RULE, "validation.rules.0", "found no demand", "a rule has one of: required"),
    ],
)
def test_a_fault_names_the_key_what_was_found_and_what_is_allowed(
    text: str, key: str, found: str, allowed: str
) -> None:
    said = fault(text)
    assert said.startswith(f"holdfast.toml: {key}"), said
    assert found in said and allowed in said, said


def test_every_fault_is_told_at_once() -> None:
    said = fault(LEAST + "still_seconds = -1\nschedule = 'x'\n[nonsense]\n")
    assert len(said.splitlines()) == 3


def test_what_is_no_toml_says_where() -> None:
    assert "not TOML" in fault("[library\n") and "line 1" in fault("[library\n")


def test_a_missing_file_says_how_to_name_another(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"can't be read.*HOLDFAST_CONFIG"):
        load_settings(tmp_path / "none.toml")


def test_a_file_that_is_not_utf_8_says_which_byte(tmp_path: Path) -> None:
    file = tmp_path / "holdfast.toml"
    file.write_bytes(b'[library]\nname = "B\xfccher"\n')
    with pytest.raises(SettingsError, match="byte 19 is not UTF-8"):
        load_settings(file)


def test_holdfast_config_names_the_file_and_relative_paths_start_at_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "elsewhere.toml"
    file.write_text(LEAST + '[paths]\nvar = "data"\nscans = "scans"\n')
    monkeypatch.setenv("HOLDFAST_CONFIG", str(file))
    monkeypatch.delenv("HOLDFAST_VAR")
    settings = load_settings()
    assert settings.var == tmp_path / "data"
    assert settings.scans == tmp_path / "scans"
    assert settings.drops == tmp_path / "data" / "drops" / "marc"
    assert settings.museum_exports == tmp_path / "data" / "drops" / "museum"
    monkeypatch.setenv("HOLDFAST_VAR", str(tmp_path / "other"))
    assert settings.var == tmp_path / "other"


def test_a_password_in_an_address_is_not_repeated() -> None:
    assert "secret" not in fault(LEAST + 'url = "ftp://me:secret@h/x"\n')
