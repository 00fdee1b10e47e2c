"""Authority files in their folders, and the lake's part of what a heading needs."""

from __future__ import annotations

import gzip
from pathlib import Path

import polars as pl
import pytest

from holdfast.authority.linking import candidate_keys, link, lookup
from holdfast.settings import Settings, parse_settings
from resources.authorities.client import AuthorityFolder, read_file
from resources.authorities.lake import load_authorities, read_all, read_for
from resources.authorities.what_if import subfields_of
from resources.lake.client import Lake
from tests.authorities import authority, frames, heading_record

TEXT = '[library]\nname = "L"\n[sources.a]\n[authorities.lcsh]\nthesaurus = "lcsh"\n[authorities.names]\n'


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    found = parse_settings(TEXT, root=tmp_path)
    for name in ("lcsh", "names"):
        (found.authority_files / name).mkdir(parents=True)
    return found


def topic(number: str, text: str, *references: str, date: str = "20260101000000.0") -> bytes:
    fields = [("450", "  ", "a", each) for each in references]
    return authority(number, ("150", "  ", "a", text), *fields, date=date)


def test_only_whole_files_of_the_pattern_and_no_links_count(settings: Settings, tmp_path: Path) -> None:
    folder = settings.authority_files / "lcsh"
    for name in ("b.mrc", "a.mrc.gz", "c.mrc.part", "notes.txt"):
        (folder / name).write_bytes(b"")
    (tmp_path / "outside.mrc").write_bytes(b"")
    (folder / "link.mrc").symlink_to(tmp_path / "outside.mrc")
    (folder / "d.mrc").mkdir()
    assert [file.name for file in AuthorityFolder(settings).listing("lcsh")] == ["a.mrc.gz", "b.mrc"]
    assert AuthorityFolder(settings).names() == ["lcsh", "names"]


def test_a_file_is_read_in_blocks_plain_or_gzip(tmp_path: Path) -> None:
    records = [topic(f"sh{n}", f"Heading {n}") for n in range(2000)]
    plain, packed = tmp_path / "a.mrc", tmp_path / "a.mrc.gz"
    plain.write_bytes(b"".join(records))
    packed.write_bytes(gzip.compress(b"".join(records)))
    for file in (plain, packed):
        parts = list(read_file(file, authority_file="lcsh", block_bytes=100_000))
        assert len(parts) > 2
        rows = pl.concat([part.found.authorities for part in parts])
        assert rows["record"].to_list() == list(range(1, 2001))
        assert sum(part.records for part in parts) == 2000


def test_a_newer_record_of_another_file_replaces_the_older_one(settings: Settings, tmp_path: Path) -> None:
    folder = settings.authority_files / "lcsh"
    (folder / "1-whole.mrc").write_bytes(topic("sh1", "Old", "Once") + topic("sh2", "Kept"))
    (folder / "2-update.mrc").write_bytes(topic("sh1", "New", "Old", date="20260201000000.0"))
    (settings.authority_files / "names" / "2-update.mrc").write_bytes(topic("n1", "Name"))
    lake = Lake(tmp_path / "lake")
    got = load_authorities(lake, AuthorityFolder(settings))
    assert (got.records, got.authorities, got.superseded) == (4, 3, 1)
    whole = read_all(lake)
    assert sorted(whole.authorities["heading"]) == ["Kept", "Name", "New"]
    assert whole.references["heading"].to_list() == ["Old"]


def test_what_is_read_for_some_headings_links_them_as_all_would(settings: Settings, tmp_path: Path) -> None:
    records = [topic(f"sh{n}", f"Heading {n}", f"Reference {n}", "Common") for n in range(300)]
    records.append(authority("sh999", ("185", "  ", "v", "Congresses"), kind="d"))
    (settings.authority_files / "lcsh" / "a.mrc").write_bytes(b"".join(records))
    lake = Lake(tmp_path / "lake")
    load_authorities(lake, AuthorityFolder(settings))
    from holdfast.authority.headings import headings

    wanted = [("Heading 7",), ("Reference 8", "v", "Congresses"), ("Common",), ("Heading 9", "z", "Iran"), ("None",)]
    found = headings(frames(heading_record("1", *(("650", " 0", "a", *each) for each in wanted))).subfields)
    part = read_for(lake, candidate_keys(found))
    assert part.authorities.height == 301  # Common leads to all of them
    few = found.filter(pl.col("heading") != "Common")
    assert read_for(lake, candidate_keys(few)).authorities.height == 4
    whole = read_all(lake)
    assert link(few, read_for(lake, candidate_keys(few))).to_dicts() == link(few, whole).to_dicts()
    assert link(found, part, lookup(part)).to_dicts() == link(found, whole).to_dicts()


def test_live_fields_become_subfields_again() -> None:
    fields = pl.DataFrame(
        [
            ("live-b", 0, "LDR", "00000", False),
            ("live-b", 3, "650", " 0\x1faPoetry\x1fxHistory", False),
            ("live-b", 4, "245", "10\x1faTitle", False),
            ("live-a", 1, "100", "1 \x1fapii:0123", True),
            ("live-a", 2, "651", " 0\x1faIran\x1f", False),
        ],
        schema=["instance_id", "field", "tag", "text", "masked"],
        orient="row",
    )
    subfields, ids = subfields_of(fields)
    assert dict(ids.select("record", "id").iter_rows()) == {1: "live-b", 2: "live-a"}
    assert subfields.select("record", "field", "tag", "ind1", "ind2", "code", "value").rows() == [
        (1, 3, "650", " ", "0", "a", "Poetry"),
        (1, 3, "650", " ", "0", "x", "History"),
        (2, 2, "651", " ", "0", "a", "Iran"),
    ]
