from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from demo.samples import museum as samples
from holdfast.museum.lido_crosswalk import CROSSWALK, lido_to_dublin_core
from holdfast.museum.lido_export import LidoRecord, read_lido_file
from holdfast.museum.objects import SCHEMA
from holdfast.museum.validation import Batch, ExportFile, rejections_of, validate_export
from holdfast.outcomes import Rejection
from holdfast.settings import Collection, load_settings
from tests.holdfast.museum.lido_samples import record, wrap

PRINTS = Collection(
    format="csv",
    separator=";",
    columns={"identifier": "no", "title": "title", "subject": "subject", "image_url": "image", "date": "date"},
    constants={"type": "print"},
)
HEADER = "no,title,subject,image,date\n"


def validate(
    tmp_path: Path, *texts: str | bytes, collection: Collection = PRINTS
) -> tuple[pl.DataFrame, list[Rejection], list[Batch]]:
    files = []
    for number, text in enumerate(texts):
        path = tmp_path / f"part{number}"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        files.append(ExportFile(path.name, path))
    batches = list(validate_export("prints", collection, files, record_bytes=1_000_000))
    for batch in batches:
        assert batch.came_in == batch.objects.height + batch.rejected.height + batch.duplicates
        assert batch.objects.schema == SCHEMA
    rejections = [each for batch in batches for each in rejections_of(batch.rejected)]
    return pl.concat(batch.objects for batch in batches), rejections, batches


def test_a_row_becomes_an_object_with_its_place(tmp_path: Path) -> None:
    objects, rejections, _ = validate(tmp_path, HEADER + "P1, A bridge ,river; bridge;,http://x.test/1.jpg,c.1790-5\n")
    (row,) = objects.to_dicts()
    assert rejections == []
    assert row["identifier"] == "P1"
    assert row["title"] == "A bridge"
    assert row["subjects"] == ["river", "bridge"]
    assert row["types"] == ["print"]
    assert (row["date_text"], row["earliest_year"], row["latest_year"]) == ("c.1790-5", 1790, 1795)
    assert (row["source_file"], row["row"], row["place"]) == ("part0", 1, "row 1 line 2")
    assert len(row["content_sha256"]) == 64


def test_the_content_hash_tells_content_and_not_place(tmp_path: Path) -> None:
    first, _, _ = validate(tmp_path, HEADER + "P1,a,,,\n")
    moved, _, _ = validate(tmp_path, HEADER + "P0,z,,,\nP1,a,,,\n")
    changed, _, _ = validate(tmp_path, HEADER + "P1,a,,,1900\n")
    assert first["content_sha256"][0] == moved["content_sha256"][1] != changed["content_sha256"][0]


def test_an_object_that_comes_twice_word_for_word_is_a_duplicate(tmp_path: Path) -> None:
    objects, rejections, batches = validate(tmp_path, HEADER + "P1,a,,,\n", HEADER + "P1,a,,,\nP2,b,,,\n")
    assert objects["identifier"].to_list() == ["P1", "P2"]
    assert (sum(batch.duplicates for batch in batches), rejections) == (1, [])


def test_an_identifier_with_other_content_is_quarantined_and_names_the_first(tmp_path: Path) -> None:
    objects, (rejection,), _ = validate(tmp_path, HEADER + "P1,a,,,\nP1,b,,,\n")
    assert objects["title"].to_list() == ["a"]
    assert rejection.code == "object.conflict"
    assert rejection.place == "part0 row 2 line 3"
    assert "part0 row 1 line 2" in rejection.rule


@pytest.mark.parametrize(
    ("row", "code", "column"),
    [
        (",a,,,", "object.identifier", "no"),
        ("P1, ,,,", "object.title", "title"),
        ("P1,a,,javascript:alert(1),", "object.image_url", "image"),
        ("P1,a\x08b,,,", "object.title", "title"),
        ("P" * 501 + ",a,,,", "object.identifier", "no"),
    ],
)
def test_a_row_that_breaks_a_rule_names_its_column(tmp_path: Path, row: str, code: str, column: str) -> None:
    objects, (rejection,), _ = validate(tmp_path, HEADER + "P0,z,,,\n" + row + "\n")
    assert objects["identifier"].to_list() == ["P0"]
    assert (rejection.code, rejection.unit) == (code, "object")
    assert rejection.place == f"part0 row 2 line 3 column '{column}'"
    assert rejection.hint


def test_what_the_collection_requires_beyond_the_standard_is_required(tmp_path: Path) -> None:
    collection = PRINTS.model_copy(update={"required": ("identifier", "title", "date")})
    _, (rejection,), batches = validate(tmp_path, HEADER + "P1,a,,,\n", collection=collection)
    assert rejection.code == "object.date"
    assert batches[0].rejected["identifier"].to_list() == ["P1"]


def test_an_export_without_objects_has_columns_all_the_same(tmp_path: Path) -> None:
    objects, rejections, _ = validate(tmp_path, HEADER)
    assert (objects.height, rejections) == (0, [])


def test_a_lido_event_of_making_says_who_and_when_and_others_do_not(tmp_path: Path) -> None:
    def event(kind: str, actor: str, year: int) -> str:
        name = f"<lido:nameActorSet><lido:appellationValue>{actor}</lido:appellationValue></lido:nameActorSet>"
        who = f"<lido:eventActor><lido:actorInRole><lido:actor>{name}</lido:actor></lido:actorInRole></lido:eventActor>"
        when = f"<lido:eventDate><lido:date><lido:earliestDate>{year}</lido:earliestDate><lido:latestDate>{year + 2}</lido:latestDate></lido:date></lido:eventDate>"
        kinds = f"<lido:eventType><lido:term>{kind}</lido:term></lido:eventType>"
        return f"<lido:eventSet><lido:event>{kinds}{who}{when}</lido:event></lido:eventSet>"

    more = f"<lido:eventWrap>{event('Finding', 'Digger', 1900)}{event('Production', 'Maker', 1500)}</lido:eventWrap>"
    objects, _, _ = validate(tmp_path, wrap(record(7, more=more)), collection=Collection(format="lido"))
    (row,) = objects.to_dicts()
    assert (row["creators"], row["contributors"]) == (["Maker"], ["Digger"])
    assert (row["date_text"], row["earliest_year"], row["latest_year"]) == ("1500/1502", 1500, 1502)
    assert row["place"] == "/lido:lidoWrap/lido:lido[1]"


def test_every_element_of_the_crosswalk_is_found_in_the_real_records(data: Path) -> None:
    found: set[str] = set()
    for name in ("lido.xml", "inp-clasate-istoria-stiintei-si-tehnicii-2014-02-02.xml.gz"):
        for each in read_lido_file(data / "lido" / name, record_bytes=1_000_000):
            assert isinstance(each, LidoRecord)
            dumped = lido_to_dublin_core(each.lido).model_dump(by_alias=True)
            found |= {element for element, values in dumped.items() if values}
    # No record there has a second title, or an event other than of making with an actor or a date.
    assert set(CROSSWALK) - found == {"alternative", "contributor", "date"}
    assert {"image_url", "page_url"} <= found


def test_a_real_lido_record_reads_as_its_museum_shows_it(data: Path) -> None:
    files = [ExportFile("lido.xml", data / "lido/lido.xml")]
    (batch,) = validate_export("ycba", Collection(format="lido"), files, record_bytes=1_000_000)
    (row,) = batch.objects.to_dicts()
    assert row["identifier"] == "YCBA/lido-TMS-499"
    assert row["identifiers"] == ["B1979.20"]
    assert row["title"] == "The Good Samaritan"
    assert row["creators"] == ["Francis Hayman"]
    assert (row["date_text"], row["earliest_year"], row["latest_year"]) == ("between 1751 and 1752", 1751, 1752)
    assert (row["medium"], row["repository"]) == ("Oil on canvas", "Yale Center for British Art")


MEASURE = """
import re, sys
from pathlib import Path
from holdfast.museum.validation import ExportFile, validate_export
from holdfast.settings import Collection, load_settings
collection = Collection.model_validate_json(sys.argv[1])
before = 0
def peak():  # of this process alone: ru_maxrss remembers that of its parent
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
came_in = objects = 0
for batch in validate_export("c", collection, [ExportFile("f", Path(sys.argv[2]))], record_bytes=1_000_000):
    came_in += batch.came_in
    objects += batch.objects.height
    before = before or peak()
print(came_in, objects, before, peak())
"""


def measure(collection: Collection, path: Path) -> tuple[int, int, int, int]:
    """(came in, objects, KiB after the first batch, KiB at the end) of a process of its own."""
    command = [sys.executable, "-c", MEASURE, collection.model_dump_json(), str(path)]
    out = subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": "."})
    came_in, objects, first, last = map(int, out.stdout.split())
    return came_in, objects, first, last


def test_tate_is_read_whole_in_memory_that_does_not_grow(data: Path) -> None:
    collection = Collection(
        format="csv", columns={"identifier": "accession_number", "title": "title", "date": "dateText"}
    )
    came_in, objects, first, last = measure(collection, data / "museum/tate/artwork_data.csv.gz")
    assert (came_in, objects) == (69_202, 69_202)
    assert last < 250_000
    assert last - first < 60_000


def test_lido_of_many_times_the_size_takes_the_same_memory(tmp_path: Path) -> None:
    path = tmp_path / "large.xml"
    filler = "<lido:x>" + "y" * 20_000 + "</lido:x>"
    path.write_bytes(wrap(*(record(n, more=filler) for n in range(4_000))))
    came_in, objects, first, last = measure(Collection(format="lido"), path)
    assert (came_in, objects) == (4_000, 4_000)
    assert path.stat().st_size > 80_000_000
    assert last - first < 60_000


def test_the_demo_museum_s_exports_are_read_by_the_settings_of_the_repository(tmp_path: Path) -> None:
    collections = load_settings().collections
    objects, (rejection,), _ = validate(tmp_path, samples.prints(), collection=collections["prints"])
    assert objects.height == 43
    assert rejection.code == "object.identifier"
    objects, (rejection,), _ = validate(tmp_path, samples.objects(), collection=collections["objects"])
    assert objects.height == len(samples.OBJECTS)
    assert rejection.code == "lido.missing"
