"""The sample drops: what is said to be in them is in them, and they are the same every time."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pymarc
import pytest
from lxml import etree
from PIL import Image
from stdnum import isbn

from demo.ils.store import Store
from demo.samples import authorities, drops, museum, pages, seed
from demo.samples.__main__ import files, main
from demo.samples.books import books
from demo.samples.glyphs import check
from demo.samples.records import as_content
from holdfast.authority.linking import link_records
from holdfast.authority.records import read_authorities
from holdfast.marc import read_blocks, read_columns


def whole_records(data: bytes) -> Iterator[pymarc.Record | None]:
    """Cut at the record terminator, so that one damaged record stops only itself; None where pymarc cannot read."""
    for part in data.split(b"\x1d"):
        if part:
            record = next(iter(pymarc.MARCReader(io.BytesIO(part + b"\x1d"))))
            yield record if record is not None and len(part) + 1 == int(part[:5]) else None


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("samples")
    main(["--to", str(folder)])
    return folder


def test_there_are_four_hundred_and_more_different_books_in_many_languages() -> None:
    assert len({(book.title, book.author) for book in books()}) == len(books()) >= 420
    assert len({book.language for book in books()}) >= 25
    assert [book.number for book in books()] == list(range(1, len(books()) + 1))


def test_every_isbn_has_its_check_digit() -> None:
    given = [book.isbn for book in books() if book.isbn]
    assert given and all(isbn.is_valid(number) for number in given)


def test_no_two_suppliers_have_an_identifier_in_common() -> None:
    """Each load would write its own description over the other's, every night."""
    found = []
    for drop in (drops.ebooks(), drops.consortium()):
        records = [record for record in whole_records(drop.data) if record is not None]
        found.append(
            {value for record in records for field in record.get_fields("020") for value in field.get_subfields("a")}
        )
    assert found[1] and not found[0] & found[1]


def test_the_ebooks_drop_has_what_it_says() -> None:
    drop = drops.ebooks()
    records = list(whole_records(drop.data))
    good = [record for record in records if record is not None]
    assert drop.records >= 300
    assert (len(good), records.count(None)) == (drop.records, drop.damaged)
    numbers = [record["001"].data for record in good]
    assert len(numbers) - len(set(numbers)) == len(drops.DUPLICATED) + 1
    assert [record["001"].data for record in good if record.leader[5] == "d"] == [drops.DELETED.vendor_number]
    changed = [record["005"].data for record in good if record["001"].data == drops.SUPERSEDED.vendor_number]
    assert len(changed) == 2 and changed[0] < changed[1]
    private = next(record for record in good if record["001"].data == drops.PRIVATE.vendor_number)
    assert private["541"]["h"] and private["583"]["x"] and private["852"]["x"]
    assert any(record.get_fields("880") for record in good)


def test_each_kind_of_damage_is_there() -> None:
    data = drops.ebooks().data
    assert data.count(b"\x1d") == drops.ebooks().records + 3 and not data.endswith(b"\x1d")
    latin = drops.undeclared_encoding(drops.DAMAGED["undeclared encoding"])
    assert latin[9:10] == b"a" and latin in data
    with pytest.raises(UnicodeDecodeError):
        latin.decode()
    for spoil, kind in ((drops.lying_length, "lying length"), (drops.bad_directory, "bad directory")):
        assert spoil(drops.DAMAGED[kind]) in data
    assert int(drops.lying_length(drops.DAMAGED["lying length"])[:5]) != len(
        drops.lying_length(drops.DAMAGED["lying length"])
    )


def test_the_consortium_drop_is_real_marc8_in_every_script() -> None:
    drop = drops.consortium()
    records = [record for record in whole_records(drop.data) if record is not None]
    assert len(records) == drop.records >= 200
    for escape in (b"\x1b(N", b"\x1b)Q", b"\x1b(S", b"\x1b(2", b"\x1b(3", b"\x1b$1"):
        assert escape in drop.data
    by_number = {record["001"].data: record for record in records}
    for book in books():
        if book.in_consortium:
            record = by_number[book.union_number]
            assert record["100"]["a"].rstrip(",.") == book.author.rstrip(",.")
            if book.vernacular_title:
                titles = [f["a"] for f in record.get_fields("880") if f["6"].startswith("245")]
                assert titles == [book.vernacular_title]


def test_the_seed_has_unchanged_and_older_books_and_is_put_in_once(tmp_path: Path) -> None:
    live = seed.catalogue()
    assert len(live) >= 150
    assert 0 < sum(entry.same for entry in live) < len(live)
    store = Store(tmp_path / "ils.sqlite")
    try:
        assert seed.seed(store) == len(live)
        assert seed.seed(store) == 0
        with store.writing() as (connection, _):
            connection.execute("DELETE FROM item")
            connection.execute("DELETE FROM holdings_record")
        assert seed.seed(store) == 0
        with store.reading() as connection:
            counts = [connection.execute(f"SELECT count(*) FROM {t}").fetchone()[0] for t in ("instance", "holdings_record", "item", "source_record")]  # fmt: skip
    finally:
        store.close()
    assert counts == [len(live)] * 4


def test_an_unchanged_book_has_every_field_of_the_drop() -> None:
    incoming = {record["001"].data: record for record in whole_records(drops.ebooks().data) if record is not None}
    same = next(x for x in seed.catalogue() if x.same and x.electronic and x.book != drops.DELETED)
    older = next(x for x in seed.catalogue() if not x.same and x.electronic)
    for live, contained in ((same, True), (older, False)):
        fields = as_content(incoming[live.book.vendor_number])["fields"]
        held = as_content(seed.live_record(live))["fields"]
        described = [field for field in fields if next(iter(field)) not in ("001", "003", "005")]
        assert all(field in held for field in described) is contained


def test_what_is_there_already_is_left_untouched(written: Path) -> None:
    paths = [path for path in written.rglob("*") if path.is_file()]
    before = {path: path.stat().st_mtime_ns for path in paths}
    spoiled = written / "museum/prints/prints.csv"
    spoiled.write_bytes(b"something else")
    main(["--to", str(written)])
    after = {path: path.stat().st_mtime_ns for path in written.rglob("*") if path.is_file()}
    assert {path for path in after if after[path] != before[path]} == {spoiled}
    assert spoiled.read_bytes() == museum.prints()


def test_every_generation_gives_the_same_bytes(written: Path) -> None:
    for name, data in files().items():
        assert (written / name).read_bytes() == data, name


@pytest.mark.parametrize("batch", ["demo-0001", "demo-0002"])
def test_a_manifest_declares_every_file_as_it_is(written: Path, batch: str) -> None:
    drop = written / "scans" / batch
    manifest = json.loads((drop / "manifest.json").read_text())
    assert {"id", "scanner_id", "scanner_model", "resolution_dpi", "color_profile", "settings"} < manifest.keys()
    declared = {entry["path"]: entry for entry in manifest["file_paths"]}
    assert set(declared) == {path.relative_to(drop).as_posix() for path in (drop / "pages").iterdir()}
    for name, entry in declared.items():
        data = (drop / name).read_bytes()
        assert (entry["sha256"], entry["bytes"]) == (hashlib.sha256(data).hexdigest(), len(data))


def test_the_batch_has_good_pages_and_one_of_each_bad_kind() -> None:
    batch = pages.batch()
    good, blank, copies, damaged = [], [], [], []
    seen: set[bytes] = set()
    for name, data in batch.items():
        try:
            with Image.open(io.BytesIO(data)) as image:
                image.load()
                assert image.size == (pages.WIDTH, pages.HEIGHT)
                assert round(float(image.info["dpi"][0])) == pages.DPI
                extrema = image.getextrema()
        except OSError:
            damaged.append(name)
            continue
        kind = copies if data in seen else blank if extrema[0] == extrema[1] else good
        kind.append(name)
        seen.add(data)
    assert len(good) == len(pages.TEXTS) >= 12
    assert (len(blank), len(copies), len(damaged)) == (1, 1, 1)
    assert {name[-4:] for name in good} == {".tif", ".png", ".jpg"}


def test_every_text_can_be_drawn_and_names_a_date_or_a_person() -> None:
    for language, text in pages.TEXTS:
        check(text)
        assert language in ("eng", "ger", "fre")
    assert sum(any(char.isdigit() for char in text) for _, text in pages.TEXTS) >= 10


def test_the_prints_have_two_bad_rows() -> None:
    rows = list(csv.DictReader(io.StringIO(museum.prints().decode())))
    assert len(rows) >= 42
    assert sum(not row["inventory_number"] for row in rows) == 1
    assert sum(not row["date"].isdecimal() for row in rows) == 1
    numbers = [row["inventory_number"] for row in rows if row["inventory_number"]]
    assert len(numbers) == len(set(numbers))


def test_of_the_lido_objects_only_the_last_is_invalid(test_data: Path) -> None:
    schema_file = test_data / "lido/schema/lido-v1.1.xsd"
    if not schema_file.is_file():
        pytest.skip(f"LIDO's schema is not at {schema_file}")
    root = etree.fromstring(museum.objects())
    objects = list(root)
    assert len(objects) - museum.INVALID_OBJECTS >= 10
    schema = etree.XMLSchema(etree.parse(schema_file))
    assert not schema.validate(root)
    root.remove(objects[-1])
    assert schema.validate(root), schema.error_log


def test_the_headings_of_the_sample_books_are_established_changed_or_missing() -> None:
    data = authorities.authorities()
    block = next(iter(read_blocks(io.BytesIO(data))))
    file = read_authorities(read_columns(block), authority_file="demo", file="headings.mrc", thesaurus="lcsh")
    assert data.count(b"\x1d") == file.authorities.height >= 500 and not file.rejected.height
    frames = read_columns(next(iter(read_blocks(io.BytesIO(drops.ebooks().data)))))
    readable = frames.subfields.join(frames.records.filter(pl.col("fault").is_null()), on="record", how="semi")
    verdicts = dict(link_records(readable, file)["verdict"].value_counts().iter_rows())
    assert verdicts["linked"] > verdicts["unlinked"] > 10 and verdicts["linked_by_reference"] > 10
