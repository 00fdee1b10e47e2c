"""Avram schemas: what a MARC format defines, read from JSON.

Source: Avram specification 0.9 (format.gbv.de/schema/avram/specification). The dialect of qa-catalogue is read too: `codes`
shorter than their position are flags, a code with a leading hyphen is a discontinued one, and `types` of 006, 007 and 008 are
named as MARC 21 names them.
"""

from __future__ import annotations

import difflib
import gzip
import hashlib
import json
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

# What a schema may say; a key that is nearly one of these is a mistake, others are notes of the maker and left alone.
_SCHEMA = ("fields", "codelists", "title", "description", "url", "family", "language", "profile", "$schema", "created",
           "modified", "version", "records", "extensions", "checks")  # fmt: skip
_FIELD = ("tag", "label", "description", "url", "repeatable", "required", "deprecated", "indicator1", "indicator2", "subfields",
          "positions", "types", "pattern", "codes", "occurrence", "created", "modified", "groups", "flags", "checks", "total",
          "records", "examples")  # fmt: skip
_SUBFIELD = ("code", "label", "description", "url", "repeatable", "required", "deprecated", "pattern", "codes", "positions",
             "order", "created", "modified", "groups", "flags", "checks", "total", "records", "examples")  # fmt: skip
_POSITION = (
    "label",
    "description",
    "url",
    "start",
    "end",
    "codes",
    "flags",
    "pattern",
    "groups",
    "position",
    "deprecated",
)
_INDICATOR = ("label", "description", "url", "codes", "pattern", "checks", "deprecated")
_NEAR = 0.8
_LONGEST = 100_000_000  # bytes of a schema, unpacked: a gzip bomb is no schema
_RANGE = re.compile(r"^(\d+)-(\d+)$")


class SchemaError(ValueError):
    """A schema can't be used; the text names the file, the key, what was found and what is allowed."""


@dataclass(frozen=True, eq=False)
class Codes:
    """Codes in use and discontinued ones, each with its label."""

    active: Mapping[str, str]
    deprecated: Mapping[str, str]

    def shown(self, limit: int = 20) -> str:
        codes = [repr(code) if code.strip() != code else code for code in self.active]
        return ", ".join(codes[:limit]) + (f" and {len(codes) - limit} more" if len(codes) > limit else "")


@dataclass(frozen=True, eq=False)
class Position:
    """Characters start to end (both counted) of a fixed field. flags: any of the codes, one after the other."""

    start: int
    end: int
    label: str
    codes: Codes | None
    codelist: str
    flags: bool
    pattern: re.Pattern[str] | None

    @property
    def width(self) -> int:
        return self.end - self.start + 1

    @property
    def name(self) -> str:
        return f"{self.start:02}" if self.width == 1 else f"{self.start:02}-{self.end:02}"

    def standing(self, text: str) -> str:
        """'' where the schema allows it, 'obsolete' or 'undefined'."""
        if self.pattern is not None and not self.pattern.search(text):
            return "undefined"
        if self.codes is None or text in self.codes.active:
            return ""
        if text in self.codes.deprecated:
            return "obsolete"
        if not self.flags:
            return "undefined"
        wide = self._flag_width
        parts = [text[at : at + wide] for at in range(0, len(text), wide)]
        if all(part in self.codes.active for part in parts):
            return ""
        return "obsolete" if all(p in self.codes.active or p in self.codes.deprecated for p in parts) else "undefined"

    @cached_property
    def by_character(self) -> tuple[str, ...] | None:
        """The standing of each of the first 256 characters, where every code is one character; else None."""
        if self.codes is None or self.pattern is not None:
            return None
        if any(len(code) != 1 for code in {**self.codes.active, **self.codes.deprecated}):
            return None
        single = Position(0, 0, self.label, self.codes, "", False, None)
        return tuple(single.standing(chr(n)) for n in range(256))

    @property
    def _flag_width(self) -> int:
        codes = self.codes or _BLANK
        return min(len(code) for code in {**codes.active, **codes.deprecated})


@dataclass(frozen=True, eq=False)
class Subfield:
    label: str
    repeatable: bool
    required: bool
    deprecated: bool
    pattern: re.Pattern[str] | None
    codes: Codes | None
    codelist: str
    positions: tuple[Position, ...]
    order: str


@dataclass(frozen=True, eq=False)
class Field:
    """indicators: codes, or None where any value goes. subfields: None where any go."""

    tag: str
    label: str
    repeatable: bool
    required: bool
    deprecated: bool
    indicators: tuple[Codes | None, Codes | None]
    subfields: Mapping[str, Subfield] | None
    positions: tuple[Position, ...]
    types: Mapping[str, tuple[Position, ...]]
    pattern: re.Pattern[str] | None


@dataclass(frozen=True, eq=False)
class Schema:
    """name: for people. digest: SHA-256 (hex) of what it was made of."""

    name: str
    digest: str
    fields: Mapping[str, Field] = field(default_factory=dict)
    codelists: Mapping[str, Codes] = field(default_factory=dict)


_BLANK = Codes({" ": "undefined"}, {})


class _Reader:
    """Reads one document; every complaint says where."""

    def __init__(self, file: str) -> None:
        self.file = file

    def fail(self, key: str, found: Any, allowed: str) -> SchemaError:
        shown = json.dumps(found, ensure_ascii=False)
        return SchemaError(f"{self.file}: {key}: found {shown[:80]}; allowed: {allowed}")

    def table(self, given: Any, key: str, allowed: tuple[str, ...] = ()) -> dict[str, Any]:
        if not isinstance(given, dict):
            raise self.fail(key, given, "an object")
        for name in given:
            if allowed and name not in allowed:
                near = difflib.get_close_matches(name, allowed, n=1, cutoff=_NEAR)
                if near:
                    raise SchemaError(f"{self.file}: {key}.{name}: no such key; did you mean '{near[0]}'? "
                                      f"(allowed: {', '.join(allowed)})")  # fmt: skip
        return given

    def flag(self, table: dict[str, Any], name: str, key: str, default: bool = False) -> bool:
        value = table.get(name, default)
        if not isinstance(value, bool):
            raise self.fail(f"{key}.{name}", value, "true or false")
        return value

    def text(self, table: dict[str, Any], name: str, key: str) -> str:
        value = table.get(name) or ""
        if not isinstance(value, str):
            raise self.fail(f"{key}.{name}", value, "text")
        return value

    def pattern(self, table: dict[str, Any], key: str) -> re.Pattern[str] | None:
        text = self.text(table, "pattern", key)
        try:
            return re.compile(text) if text else None
        except re.error as error:
            raise self.fail(f"{key}.pattern", text, f"a regular expression ({error})") from error

    def codes(self, given: Any, key: str) -> Codes | None:
        table = self.table(given, key)
        active: dict[str, str] = {}
        deprecated: dict[str, str] = {}
        for code, each in table.items():
            if not isinstance(each, str | dict):
                raise self.fail(f"{key}.{code}", each, "a label, or an object with `label`")
            label = each if isinstance(each, str) else self.text(each, "label", f"{key}.{code}")
            old = isinstance(each, dict) and self.flag(each, "deprecated", f"{key}.{code}")
            # The lists of the Library of Congress mark a discontinued code with a hyphen before it.
            if re.fullmatch(r"-[a-z]{2,3}", code):
                code, old = code[1:], True
            for one in self._expanded(code):
                (deprecated if old else active)[one] = label
        deprecated = {code: label for code, label in deprecated.items() if code not in active}
        return Codes(active, deprecated) if active or deprecated else None

    @staticmethod
    def _expanded(code: str) -> Iterator[str]:
        found = _RANGE.match(code)
        if found and len(found[1]) == len(found[2]):
            yield from (f"{n:0{len(found[1])}}" for n in range(int(found[1]), int(found[2]) + 1))
        else:
            yield code

    def indicator(self, given: Any, key: str) -> Codes | None:
        if given is None:
            return _BLANK
        table = self.table(given, key, _INDICATOR)
        return self.codes(table["codes"], f"{key}.codes") if table.get("codes") is not None else None

    def positions(self, given: Any, key: str) -> tuple[Position, ...]:
        if given is None:
            return ()
        items = given.items() if isinstance(given, dict) else enumerate(given) if isinstance(given, list) else None
        if items is None:
            raise self.fail(key, given, "an object by position")
        return tuple(self._position(each, f"{key}.{name}", str(name)) for name, each in items)

    def _position(self, given: Any, key: str, name: str) -> Position:
        table = self.table(given, key, _POSITION)
        bounds = re.fullmatch(r"(\d+)(?:-(\d+))?", name)
        start = table.get("start", int(bounds[1]) if bounds else None)
        end = table.get("end", int(bounds[2]) if bounds and bounds[2] else start)
        if not isinstance(start, int) or not isinstance(end, int) or not 0 <= start <= end < 10_000:
            raise self.fail(key, {"start": start, "end": end}, "start and end, characters from 0, start not after end")
        flags = table.get("flags")
        given_codes = flags if flags is not None else table.get("codes")
        codelist = given_codes if isinstance(given_codes, str) else ""
        codes = None if codelist or given_codes is None else self.codes(given_codes, f"{key}.codes")
        width = end - start + 1
        shorter = codes is not None and any(len(code) < width for code in {**codes.active, **codes.deprecated})
        label = self.text(table, "label", key)
        return Position(start, end, label, codes, codelist, flags is not None or shorter, self.pattern(table, key))

    def subfield(self, given: Any, key: str) -> Subfield:
        table = self.table(given, key, _SUBFIELD)
        codes = table.get("codes")
        return Subfield(
            label=self.text(table, "label", key),
            repeatable=self.flag(table, "repeatable", key, default=True),
            required=self.flag(table, "required", key),
            deprecated=self.flag(table, "deprecated", key),
            pattern=self.pattern(table, key),
            codes=None if codes is None or isinstance(codes, str) else self.codes(codes, f"{key}.codes"),
            codelist=codes if isinstance(codes, str) else "",
            positions=self.positions(table.get("positions"), f"{key}.positions"),
            order=self.text(table, "order", key),
        )

    def field(self, tag: str, given: Any, key: str) -> Field:
        table = self.table(given, key, _FIELD)
        control = tag == "LDR" or tag.startswith("00")
        subfields = table.get("subfields")
        indicators: tuple[Codes | None, Codes | None] = (None, None)
        if not control:
            indicators = (self._indicator_of(table, "indicator1", key), self._indicator_of(table, "indicator2", key))
        types = self.table(table.get("types", {}), f"{key}.types")
        return Field(
            tag=tag,
            label=self.text(table, "label", key),
            repeatable=self.flag(table, "repeatable", key, default=True),
            required=self.flag(table, "required", key),
            deprecated=self.flag(table, "deprecated", key),
            indicators=indicators,
            subfields=None
            if subfields is None or control
            else {
                code: self.subfield(each, f"{key}.subfields.{code}")
                for code, each in self.table(subfields, f"{key}.subfields").items()
            },
            positions=self.positions(table.get("positions"), f"{key}.positions"),
            types={
                name: self.positions(
                    self.table(each, f"{key}.types.{name}").get("positions"), f"{key}.types.{name}.positions"
                )
                for name, each in types.items()
            },
            pattern=self.pattern(table, key),
        )

    def _indicator_of(self, table: dict[str, Any], name: str, key: str) -> Codes | None:
        # No key: the schema says nothing of it. null: the indicator is undefined, and blank.
        return self.indicator(table[name], f"{key}.{name}") if name in table else None

    def codelists(self, given: Any) -> dict[str, Codes]:
        lists = {}
        for name, each in self.table(given, "codelists").items():
            table = self.table(each, f"codelists.{name}")
            codes = self.codes(table.get("codes", table), f"codelists.{name}.codes")
            if codes is not None:
                lists[name] = codes
        return lists


def parse_schema(text: str | bytes, name: str) -> Schema:
    """A schema from the text of an Avram file; `name` is the file's, for errors.

    Raises:
        SchemaError: it is no JSON, or no Avram schema.
    """
    raw = text.encode() if isinstance(text, str) else text
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise SchemaError(f"{name}: not JSON ({error}); allowed: an Avram schema, plain or gzip") from error
    reader = _Reader(name)
    table = reader.table(document, "(the whole file)", _SCHEMA)
    if "fields" not in table:
        raise SchemaError(f"{name}: fields: missing; allowed: an object of field definitions by tag")
    fields = {}
    for tag, each in reader.table(table["fields"], "fields").items():
        known = "LDR" if tag.upper() in ("LDR", "LEADER") else tag
        if known != "LDR" and not re.fullmatch(r"[0-9A-Za-z]{3}", known):
            raise reader.fail(f"fields.{tag}", tag, "tags of three digits or letters, and LDR")
        fields[known] = reader.field(known, each, f"fields.{tag}")
    codelists = reader.codelists(table.get("codelists", {}))
    title = reader.text(table, "title", "(the whole file)").strip().rstrip(".")
    return Schema(f"{title or 'Avram schema'} ({name})", hashlib.sha256(raw).hexdigest(), fields, codelists)


def read_schema(path: Path) -> Schema:
    """The schema of a file, plain or gzip.

    Raises:
        SchemaError: as `parse_schema`, or the file can't be read.
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
            raw = stream.read(_LONGEST + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise SchemaError(f"{path}: can't be read ({error}); allowed: an Avram schema, plain or gzip") from error
    if len(raw) > _LONGEST:
        raise SchemaError(f"{path}: longer than {_LONGEST:,} bytes; allowed: an Avram schema, plain or gzip")
    return parse_schema(raw, path.name)
