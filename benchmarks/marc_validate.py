"""Claim: reading binary MARC and validating it takes Holdfast a fraction of the time of a loop over pymarc's records.

Both read the file and hold every record against the same Avram schema: fields, indicators, subfields, repeatability, required
fields, positions of leader, 006, 007 and 008, code lists, patterns, check digits, linked 880 fields, control characters and
blanks. Holdfast makes issues with place and hint of it (`holdfast.marc.validation`); the loop counts what it finds. Holdfast
checks more: dates, nonfiling characters, sources of subjects, linking entries, addresses. It works on blocks side by side, on all
cores; `holdfast-1-thread` is the same without that. `--growth` shows time and peak memory from 25,000 to 1,000,000 records.

The input is public data (HOLDFAST_TEST_DATA). qa-catalogue states 1,700 to 3,300 records a second for all of its analyses
(pkiraly/qa-catalogue, README): another machine, other analyses; so it stands beside the table and is no measured peer.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

import pymarc
from stdnum import isbn, issn

from benchmarks.marc_read import _head, joined, repeated, silence
from benchmarks.measure import OURS, ROOT, Contender, clock, compare, count_records, measure, report, show
from holdfast.marc import Frames, read_blocks, read_columns
from holdfast.marc.parallel import map_in_order
from holdfast.marc.validation import load_rules, validate

URI = re.compile(r"^[A-Za-z][A-Za-z0-9+.\-]*:\S+$")
STATED = "qa-catalogue states 1,700 to 3,300 records/s for all its analyses, on another machine: no measured peer"


def data_folder() -> Path:
    return (ROOT / os.environ.get("HOLDFAST_TEST_DATA", "../shared/data")).resolve()


@cache
def schema_path() -> Path:
    return data_folder() / "rules" / "marc.json.gz"


@cache
def _rules() -> Any:
    return load_rules({"bibliographic": schema_path()})


def with_holdfast(file: Path, workers: int | None = None) -> tuple[int, Counter[str]]:
    """Records, and issues by code; blocks side by side, on all cores."""
    count, found = 0, Counter[str]()
    with file.open("rb") as stream:
        for records, codes in map_in_order(_validated, _parts(stream), workers):
            count += records
            found.update(codes)
    return count, found


def with_one_thread(file: Path) -> tuple[int, Counter[str]]:
    return with_holdfast(file, 1)


def _parts(stream: BinaryIO) -> Iterator[Frames]:
    first = 1
    for block in read_blocks(stream):
        frames = read_columns(block, first)
        first += frames.records.height
        yield frames


def _validated(frames: Frames) -> tuple[int, dict[str, int]]:
    return frames.records.height, dict(validate(frames, _rules()).group_by("code").len().iter_rows())


def with_reading_alone(file: Path) -> tuple[int, Counter[str]]:
    with file.open("rb") as stream:
        return sum(frames.records.height for frames in _parts(stream)), Counter()


def with_pymarc(file: Path) -> tuple[int, Counter[str]]:
    count, found = 0, Counter[str]()
    checker = _checker()
    with file.open("rb") as stream, silence():
        for record in pymarc.MARCReader(stream, to_unicode=True, permissive=True):
            count += 1
            if record is not None:
                checker.check(record, found)
    return count, found


@cache
def _checker() -> PlainChecker:
    return PlainChecker(json.loads(gzip.decompress(schema_path().read_bytes())))


class PlainChecker:
    """The same checks in plain Python, a record at a time: dictionaries made once, sets to look codes up in."""

    CONFIGURATIONS: ClassVar = {
        **dict.fromkeys("at", "Books"), "m": "Computer Files", **dict.fromkeys("ef", "Maps"), **dict.fromkeys("cdij", "Music"),
        "s": "Continuing Resources", **dict.fromkeys("gkor", "Visual Materials"), "p": "Mixed Materials",
    }  # fmt: skip
    CATEGORIES: ClassVar = {
        "a": "Map", "c": "Electronic resource", "d": "Globe", "f": "Tactile material", "g": "Projected graphic", "h": "Microform",
        "k": "Nonprojected graphic", "m": "Motion picture", "o": "Kit", "q": "Notated music", "r": "Remote-sensing image",
        "s": "Sound recording", "t": "Text", "v": "Videorecording", "z": "Unspecified",
    }  # fmt: skip
    CONTROL = frozenset(map(chr, (*range(0x20), *range(0x7F, 0x98), 0x99, 0x9A, 0x9B, 0x9D, 0x9E, 0x9F, 0xFFFD)))

    def __init__(self, schema: dict[str, Any]) -> None:
        self.fields: dict[str, tuple[bool, Any, Any, dict[str, tuple[bool, bool, Any, Any]]]] = {}
        lists = {name: frozenset(each["codes"]) for name, each in schema["codelists"].items()}
        for tag, field in schema["fields"].items():
            indicators = [
                frozenset(field[name]["codes"]) if field.get(name) else frozenset(" ")
                for name in ("indicator1", "indicator2")
            ]
            subfields = {
                code: (
                    each.get("repeatable", True),
                    each.get("deprecated", False),
                    self._codes(each.get("codes"), lists),
                    re.compile(each["pattern"]) if each.get("pattern") and code != "6" else None,
                )
                for code, each in (field.get("subfields") or {}).items()
            }
            self.fields[tag] = (field.get("repeatable", True), *indicators, subfields)
        self.leader = self._positions(schema["fields"]["LDR"]["positions"])
        self.fixed = {
            tag: {name: self._positions(each["positions"]) for name, each in schema["fields"][tag]["types"].items()}
            for tag in ("006", "007", "008")
        }
        self.languages = lists["https://www.loc.gov/marc/languages/language_code.html"]
        self.countries = lists["https://www.loc.gov/marc/countries/countries_code.html"]

    @staticmethod
    def _codes(given: Any, lists: dict[str, frozenset[str]]) -> frozenset[str] | None:
        if isinstance(given, str):
            # The list of organizations has a part of the world's only; Holdfast leaves it out by default, too.
            return None if "organizations" in given else lists.get(given)
        return frozenset(given) if given else None

    @staticmethod
    def _positions(positions: dict[str, Any]) -> list[tuple[int, int, frozenset[str]]]:
        return [
            (each["start"], each["end"] + 1, frozenset(each["codes"]))
            for each in positions.values()
            if each.get("codes")
        ]

    def check(self, record: pymarc.Record, found: Counter[str]) -> None:
        seen: Counter[str] = Counter()
        here: list[tuple[str, str]] = []
        there: list[tuple[str, str]] = []
        self._fixed(str(record.leader), self.leader, found)
        for field in record.fields:
            seen[field.tag] += 1
            if field.control_field:
                self._control(field, record, found)
            else:
                self._data(field, found, here, there)
        for tag in ("001", "008", "245"):
            found["field.missing"] += tag not in seen
        for tag, count in seen.items():
            known = self.fields.get(tag)
            found["field.repeated"] += known is not None and not known[0] and count > 1
        pairs, others = set(here), set(there)
        found["link.no_880"] += sum(each not in others for each in here)
        found["link.no_partner"] += sum(each not in pairs for each in there)
        found["link.duplicate"] += len(here) - len(pairs) + len(there) - len(others)

    def _control(self, field: pymarc.Field, record: pymarc.Record, found: Counter[str]) -> None:
        text, tag = field.data or "", field.tag
        if tag == "008":
            found["fixed.length"] += len(text) != 40
            if len(text) != 40:
                return
            leader = str(record.leader)
            serial = leader[6] == "a" and leader[7] in "bis"
            self._fixed(text, self.fixed[tag]["All Materials"], found)
            name = "Continuing Resources" if serial else self.CONFIGURATIONS.get(leader[6], "")
            self._fixed(text, self.fixed[tag].get(name, []), found)
            found["code.country"] += text[15:18].rstrip() not in self.countries
            found["code.language"] += text[35:38] not in self.languages and text[35:38].strip() != ""
        elif tag == "006":
            self._fixed(text, self.fixed[tag].get(self.CONFIGURATIONS.get(text[:1], ""), []), found)
        elif tag == "007":
            self._fixed(text, self.fixed[tag].get(self.CATEGORIES.get(text[:1], ""), []), found)

    @staticmethod
    def _fixed(text: str, positions: list[tuple[int, int, frozenset[str]]], found: Counter[str]) -> None:
        for start, end, codes in positions:
            part = text[start:end]
            if part not in codes and not all(each in codes for each in part):
                found["fixed.code"] += 1

    def _data(
        self, field: pymarc.Field, found: Counter[str], here: list[tuple[str, str]], there: list[tuple[str, str]]
    ) -> None:
        tag = field.tag
        six = next((each.value for each in field.subfields if each.code == "6"), None)
        if six is not None:
            if len(six) < 6 or six[3] != "-" or not (six[:3] + six[4:6]).isdigit():
                found["link.form"] += 1
            elif tag == "880" and six[4:6] != "00":
                there.append((six[:3], six[4:6]))
            elif tag != "880":
                here.append((tag, six[4:6]))
            if field.subfields[0].code != "6":
                found["subfield.order"] += 1
        elif tag == "880":
            found["link.absent"] += 1
        shape = six[:3] if tag == "880" and six is not None else tag
        known = self.fields.get(shape)
        if known is None:
            found["field.undefined"] += tag[0] != "9" and tag[1:2] != "9"
        seen: set[str] = set()
        if known is not None:
            found["indicator.undefined"] += field.indicators.first not in known[1]
            found["indicator.undefined"] += field.indicators.second not in known[2]
        for code, value in field.subfields:
            if known is not None:
                self._subfield(tag, code, value, known[3].get(code), seen, found)
                seen.add(code)
            if not value:
                found["subfield.empty"] += 1
            elif value[0] == " " or value[-1] == " ":
                found["value.blank"] += 1
            if not self.CONTROL.isdisjoint(value):
                found["value.control_character"] += 1

    def _subfield(
        self,
        tag: str,
        code: str,
        value: str,
        known: tuple[bool, bool, Any, Any] | None,
        seen: set[str],
        found: Counter[str],
    ) -> None:
        if known is None:
            found["subfield.undefined"] += code != "9"
            return
        repeatable, deprecated, codes, pattern = known
        if pattern is not None and not pattern.search(value) and not (code in "01" and URI.match(value)):
            found["subfield.pattern"] += 1
        found["subfield.obsolete"] += deprecated
        found["subfield.repeated"] += not repeatable and code in seen
        if codes is not None and value not in codes:
            found["code.source"] += 1
        if code == "a" and tag == "020":
            found["isbn.check_digit"] += not isbn.is_valid(value.split(" ")[0].split("(")[0])
        elif tag == "022" and code == "a":
            found["issn.check_digit"] += not issn.is_valid(value.split(" ")[0])
        elif tag == "035" and code == "a" and value.startswith("(OCoLC)"):
            number = value[7:].strip()
            found["ocn.form"] += not number.removeprefix("ocm").removeprefix("ocn").removeprefix("on").isdigit()


ONE_THREAD, READING = f"{OURS}-1-thread", "holdfast, reading alone"
WAYS = {OURS: with_holdfast, ONE_THREAD: with_one_thread, READING: with_reading_alone, "pymarc": with_pymarc}
RECORDS = 250_000


def contenders(file: Path) -> list[Contender]:
    notes = {
        OURS: "blocks side by side, on all cores",
        ONE_THREAD: "the same, a block after the other",
        READING: "one thread, no validation: what reading costs",
        "pymarc": "a loop in Python over the same schema; counts, no places",
    }
    return [
        Contender(
            name,
            [sys.executable, "-m", "benchmarks.marc_validate", "--way", name, "--file", str(file)],
            note=notes.get(name, ""),
        )
        for name in WAYS
    ]


def growth(data: Path, folder: Path) -> None:
    """Time and peak memory by the number of records, each in a process of its own."""
    once = joined(sorted((data / "marc" / "aco").glob("*.mrc.gz")), folder / "aco.mrc")
    print("| records | seconds | records/s | peak MiB |", "|--:|--:|--:|--:|", sep="\n")
    for records in (25_000, 250_000, 1_000_000):
        file = repeated(once, records) if records > 25_000 else once
        sample = measure(contenders(file)[0])
        rate = sample.count / sample.seconds
        print(f"| {sample.count:,} | {sample.seconds:,.1f} | {rate:,.0f} | {sample.peak_mib:,.0f} |", flush=True)
        if file != once:
            file.unlink()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.marc_validate", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a part of the input; ends within 50 seconds")
    parser.add_argument(
        "--records", type=int, default=RECORDS, help="repeat the input to so many records (not with --quick)"
    )
    parser.add_argument("--growth", action="store_true", help="time and memory from 25,000 to 1,000,000 records")
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help="another file of binary MARC")
    arguments = parser.parse_args()
    if not schema_path().is_file():
        print(f"{schema_path()}: no schema; set HOLDFAST_TEST_DATA", file=sys.stderr)
        return 2
    if arguments.way:
        with tempfile.TemporaryDirectory() as name:
            WAYS[arguments.way](_head(arguments.file, Path(name)))  # schemas and parts of libraries load on first use
            with clock() as took:
                count, _ = WAYS[arguments.way](arguments.file)
        report(took[0], count)
        return 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if arguments.growth:
            growth(data_folder(), folder)
            return 0
        aco = sorted((data_folder() / "marc" / "aco").glob("aco-orig.mrc.gz" if arguments.quick else "*.mrc.gz"))
        file = arguments.file.resolve() if arguments.file else joined(aco, folder / "aco.mrc")
        if not arguments.quick and not arguments.file:
            file = repeated(file, arguments.records)
        records = count_records(file)
        name = file.name if arguments.file else "ACO, as supplied" if arguments.quick else "ACO, repeated"
        what = f"{name}: {records:,} records, {file.stat().st_size / 1e6:.1f} MB"
        result = compare("marc_validate", what, contenders(file), units=records, unit="records/s", rate=True, rounds=3)
        show([(f"{result[0]}\n\n{STATED}.", result[1])], ["polars", "numba", "pymarc"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
