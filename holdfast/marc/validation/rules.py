"""The rules of a source: schemas by kind of record, local rules, severities; and the version of all of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from holdfast.marc.validation.avram import Schema, SchemaError, parse_schema, read_schema
from holdfast.marc.validation.issues import KINDS
from holdfast.marc.validation.local import LocalRule
from holdfast.marc.validation.tables import Tables, compile_tables
from holdfast.marc.validation.values import COUNTRIES, LANGUAGES, ChecksOf, form_of

if TYPE_CHECKING:
    from holdfast.settings import Settings

# The code of this package: a change of what it finds is a change of this number.
VERSION = "1"

KINDS_OF_RECORD = ("bibliographic", "authority", "holdings")
RulesError = SchemaError


@dataclass(frozen=True)
class Rules:
    """What the records of a source are held against.

    Attributes:
        tables: by kind of record: bibliographic, authority and holdings, or unimarc.
        local: the local rules that hold for the source.
        severities: code → severity, of all that is reported.
        hints: code of a local rule → its hint.
        languages, countries: codes in use and discontinued ones.
        version: SHA-256 (hex) of schemas, local rules, severities and VERSION: the same version finds the same issues.
    """

    tables: Mapping[str, Tables]
    local: tuple[LocalRule, ...]
    severities: Mapping[str, str]
    hints: Mapping[str, str]
    languages: frozenset[str]
    countries: frozenset[str]
    version: str


@cache
def core_schema(kind: str) -> Schema:
    """The project's own schema, made from the published MARC 21 documentation: 'bibliographic', 'authority' or 'holdings'."""
    name = f"core_{kind}.avram.json"
    return parse_schema(resources.files(__package__).joinpath(name).read_bytes(), name)


def load_rules(
    schemas: Mapping[str, Path | None] | None = None,
    local: Iterable[LocalRule] = (),
    severity: Mapping[str, str] | None = None,
    *,
    unimarc: bool = False,
    source: str = "",
) -> Rules:
    """Rules of a source.

    Args:
        schemas: path of an Avram schema by kind of record (bibliographic, authority, holdings, unimarc); the project's own is
            used where there is none.
        local: all local rules; those of other sources are left out.
        severity: code → 'error', 'warning', 'info' or 'off', in place of what `issues.KINDS` says.
        unimarc: the records are UNIMARC, not MARC 21.
        source: name of the source.

    Raises:
        RulesError: a schema can't be read or is wrong; the text names file, key and what is allowed.
    """
    paths = dict(schemas or {})
    if unimarc and not paths.get("unimarc"):
        raise RulesError(
            "validation.schemas.unimarc: missing; UNIMARC records need the path of an Avram schema of UNIMARC"
        )
    mine = tuple(rule for rule in local if not rule.sources or source in rule.sources)
    wanted = {code: kind.severity for code, kind in KINDS.items()} | {rule.code: rule.severity for rule in mine}
    wanted |= {code: value for code, value in (severity or {}).items() if code in wanted}
    core = core_schema("bibliographic")
    tables = {}
    for kind in ("unimarc",) if unimarc else KINDS_OF_RECORD:
        path = paths.get(kind)
        schema = read_schema(path) if path else core_schema(kind)
        mandatory = () if unimarc else tuple(tag for tag, each in core_schema(kind).fields.items() if each.required)
        tables[kind] = compile_tables(kind, schema, ChecksOf(kind, core), mandatory, form_of)
    tables[""] = compile_tables("", Schema("no schema", ""), ChecksOf("", core))
    languages = _codes(tables.values(), LANGUAGES, core)
    countries = _codes(tables.values(), COUNTRIES, core)
    parts = {
        "version": VERSION,
        "schemas": {kind: each.schema.digest for kind, each in tables.items()},
        "core": [core_schema(kind).digest for kind in KINDS_OF_RECORD],
        "local": [rule.model_dump(mode="json") for rule in mine],
        "severity": dict(sorted(wanted.items())),
    }
    return Rules(
        tables=tables,
        local=mine,
        severities={code: value for code, value in wanted.items() if value != "off"},
        hints={rule.code: rule.hint for rule in mine},
        languages=languages,
        countries=countries,
        version=hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest(),
    )


def rules_by_source(settings: Settings) -> dict[str, Rules]:
    """Source → its rules, as `holdfast.toml` has them; sources with the same rules share them.

    Raises:
        RulesError: as `load_rules`.
    """
    given, made, rules = settings.validation, dict[tuple[object, ...], Rules](), dict[str, Rules]()
    for name, source in settings.sources.items():
        unimarc = source.dialect == "unimarc"
        key = (unimarc, *(rule.name for rule in given.rules if not rule.sources or name in rule.sources))
        if key not in made:
            made[key] = load_rules(settings.schemas, given.rules, given.severity, unimarc=unimarc, source=name)
        rules[name] = made[key]
    return rules


def _codes(tables: Iterable[Tables], name: str, core: Schema) -> frozenset[str]:
    for schema in (*(each.schema for each in tables), core):
        codes = schema.codelists.get(name)
        if codes is not None:
            return frozenset(codes.active) | frozenset(codes.deprecated)
    return frozenset()
