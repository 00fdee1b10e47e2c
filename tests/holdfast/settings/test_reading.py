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


# What stands below [sources.ebooks], the key that is at fault, what was found, what is allowed.
OF_A_SOURCE = [
    ('patern = "*.mrc"', "sources.ebooks.patern", "no such key", "did you mean 'pattern'?"),
    ('schedule = "nightly"', "sources.ebooks.schedule", "found 'nightly'", "five cron fields"),
    ('protected = ["24"]', "sources.ebooks.protected.0", "found '24'", "a MARC tag"),
    ('match = ["author"]', "sources.ebooks.match.0", "found 'author'", "'control_number', 'ocn'"),
    ('match = ["title", "ocn"]', "sources.ebooks", "match", "title stands last"),
    ('match = ["ocn", "ocn"]', "sources.ebooks", "match", "named twice"),
    ('kind = "oai"', "sources.ebooks.kind", "found 'oai'", "'files', 'oai-pmh' or 'sru'"),
    ('url = "http://h/x"', "sources.ebooks", "found 'http://h/x'", "sftp:// or ftp:// or ftps:// or s3://"),
    ('kind = "oai-pmh"', "sources.ebooks", "found ''", "http:// or https://"),
    ('url = "ftp://me:secret@h/x"', "sources.ebooks.url", "no user and no password", "environment variables"),
    ('url = "sftp://h/x"', "sources.ebooks", "known_hosts: missing", "ssh-keyscan"),
    ('rhythm = "sometimes"', "sources.ebooks.rhythm", "found 'sometimes'", "weekly mon"),
    ("file_day = '(?P<d>x)'", "sources.ebooks.file_day", "found", "(?P<day>…)"),
    ("file_day = '('", "sources.ebooks.file_day", "found '('", "a regular expression"),
    ("number_pattern = 'x'", "sources.ebooks.number_pattern", "found 'x'", "(?P<number>…)"),
    ('kind = "sru"\nurl = "https://h"', "sources.ebooks", "query: missing", "{day}"),
    ('kind = "sru"\nurl = "https://h"\nquery = "x={d}"', "sources.ebooks", "query", "{day:%Y%m%d}"),
    ("still_seconds = -1", "sources.ebooks.still_seconds", "found -1", "greater than or equal to 0"),
    ('root = "/"', "sources.ebooks.root", "no such key", "allowed: title"),
    ('stop_on = ["isbn.chek_digit"]', "sources.ebooks.stop_on", "no such issue", "did you mean 'isbn.check_digit'?"),
    ('stop_on = ["code.organization"]', "sources.ebooks.stop_on", "is off", "error, warning or info"),
    ('dialect = "unimarc"', "validation.schemas.unimarc", "missing", "name an Avram schema"),
    ('dialect = "usmarc"', "sources.ebooks.dialect", "found 'usmarc'", "'marc21' or 'unimarc'"),
]  # fmt: skip
# … below [collections.c].
OF_A_COLLECTION = [
    ('format = "lido"\nkind = "oai-pmh"', "collections.c", "found ''", "https://"),
    ('format = "csv"\nkind = "oai-pmh"\nurl = "https://h"', "collections.c", "found 'csv'", "lido or oai_dc"),
    ('format = "lido"\nkind = "oai-pmh"\nurl = "https://h"\npattern = "*.csv"', "collections.c", "found '*.csv'", "oai-pmh-2026-01-31.xml"),
    ('format = "csv"', "collections.c", "columns", "'identifier' and 'title'"),
]  # fmt: skip
# … behind a local rule without a demand.
OF_A_RULE = [
    ('at_most = 1\nsources = ["ebook"]', "validation.rules", "ebook: no such source", "allowed: ebooks"),
    ("at_most = 1\n" + RULE + "at_most = 1\n", "validation", "mine: named twice", "a name of its own"),
    ("at_mots = 1", "validation.rules.0.at_mots", "no such key", "did you mean 'at_most'?"),
    ("", "validation.rules.0", "found no demand", "a rule has one of: required"),
]  # fmt: skip
# … in a table of its own.
OF_OTHER_TABLES = [
    ("[libary]", "libary", "no such key", "did you mean 'library'?"),
    ("[limits]\nblock_bytes = 1", "limits.block_bytes", "found 1", "greater than or equal to 100000"),
    ('[ils]\nchunk_records = "many"', "ils.chunk_records", "found 'many'", "integer"),
    ("[budgets.ebook]", "budgets", "ebook: no such source", "allowed: default, ebooks"),
    ('[scanners.a]\nkind = "escl"', "scanners.a", "address", "http://127.0.0.1:8090/eSCL"),
    ('[masking]\nfields = ["patron"]', "masking.fields.0", "found 'patron'", "'541$h'"),
    ('[validation.schemas]\nbibliografic = "x"', "validation.schemas.bibliografic", "no such key", "did you mean 'bibliographic'?"),
    ('[validation.severity]\n"isbn.form" = "fatal"', "validation.severity.isbn.form", "found 'fatal'", "'error', 'warning', 'info' or 'off'"),
    ('[validation.severity]\n"isbn" = "info"', "validation", "no such issue", "allowed: record.no_schema"),
]  # fmt: skip
# … as the whole file.
OF_THE_FILE = [
    ('[library]\nname = "L"\ntimezone = "Mars"\n[sources.a]', "library.timezone", "found 'Mars'", "IANA"),
    ('[library]\nname = "L"\n[sources."A|B"]', "sources", "found 'A|B'", "lower-case letters"),
    ('[library]\nname = "L"', "sources", "missing", "add it"),
    ("[sources.a]", "library", "missing", "add it"),
    ('root = "/"\n[library]\nname = "L"\n[sources.ebooks]', "root", "no such key", "allowed: library"),
]  # fmt: skip
FAULTS = [
    *((LEAST + text + "\n", *said) for text, *said in OF_A_SOURCE + OF_OTHER_TABLES),
    *((LEAST + "[collections.c]\n" + text + "\n", *said) for text, *said in OF_A_COLLECTION),
    *((LEAST + RULE + text + "\n", *said) for text, *said in OF_A_RULE),
    *((text + "\n", *said) for text, *said in OF_THE_FILE),
]


@pytest.mark.parametrize(("text", "key", "found", "allowed"), FAULTS)
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
