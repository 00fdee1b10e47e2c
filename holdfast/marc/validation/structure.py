"""Checks of the structure: which fields, indicators and subfields there are, and how often."""

from __future__ import annotations

import numpy as np

from holdfast.marc.validation.avram import Codes
from holdfast.marc.validation.findings import Findings, Picks, listed
from holdfast.marc.validation.rows import CHARACTERS, ODD, Ints, Rows
from holdfast.marc.validation.scan import (
    BEHIND,
    EMPTY,
    HAS_ODD_TAG,
    INDICATOR_OBSOLETE,
    INDICATOR_UNDEFINED,
    IS_BARE,
    IS_OBSOLETE,
    IS_REPEATED,
    IS_UNDEFINED,
    NO_CODE,
    REPEATED,
    Picked,
    PickedFields,
    scan_fields,
)
from holdfast.marc.validation.scan import OBSOLETE as OBSOLETE_CODE
from holdfast.marc.validation.scan import UNDEFINED as UNDEFINED_CODE
from holdfast.marc.validation.tables import OBSOLETE, UNDEFINED, Tables


def check_structure(rows: Rows, picked: Picked, tables: Tables, findings: Findings) -> None:
    fields = scan_fields(
        rows.tag, rows.shape, rows.ind1, rows.ind2, rows.first, rows.ranks, rows.code, rows.text, tables.field,
        tables.single_field, tables.indicators,
    )  # fmt: skip
    _fields(rows, fields, tables, findings)
    _indicators(rows, fields, tables, findings)
    _subfields(rows, picked, tables, findings)
    _order(rows, picked, tables, findings)


def _label(tables: Tables, tag: str) -> str:
    field = tables.schema.fields.get(tag)
    return f"{tag} {field.label}".strip() if field is not None else tag


def _fields(rows: Rows, fields: PickedFields, tables: Tables, findings: Findings) -> None:
    findings.at_fields("field.tag", fields.of(HAS_ODD_TAG))
    findings.at_fields("field.undefined", fields.of(IS_UNDEFINED))
    findings.at_fields("field.obsolete", fields.of(IS_OBSOLETE))
    again = fields.of(IS_REPEATED)
    if len(again):
        tags, which = np.unique(rows.tag[again], return_inverse=True)
        said = [f"{_label(tables, f'{tag:03}')} is not repeatable" for tag in tags.tolist()]
        findings.at_fields("field.repeated", again, detail=Picks(said, which))
    for tag in tables.required:
        missing = np.flatnonzero(rows.count(tag) == 0)
        name = f"{tag:03}"
        rule = None if tables.required_by_schema else "MARC 21: mandatory field"
        findings.at_records("field.missing", missing, tag=name, detail=f"{_label(tables, name)} is required", rule=rule)
    findings.at_fields("field.empty", fields.of(IS_BARE))


def _indicators(rows: Rows, picked: PickedFields, tables: Tables, findings: Findings) -> None:
    for number, values in ((1, rows.ind1), (2, rows.ind2)):
        for code, flag, wanted in (
            ("indicator.undefined", INDICATOR_UNDEFINED, UNDEFINED),
            ("indicator.obsolete", INDICATOR_OBSOLETE, OBSOLETE),
        ):
            fields = picked.of(flag << (2 * (number - 1)))
            if not len(fields):
                continue
            pairs, which = np.unique(rows.shape[fields] * CHARACTERS + values[fields], return_inverse=True)
            said = [_indicator_message(tables, number, each, wanted) for each in pairs.tolist()]
            found = [chr(each % CHARACTERS) for each in pairs.tolist()]
            findings.at_fields(code, fields, detail=Picks(said, which), found=Picks(found, which))


def _indicator_message(tables: Tables, number: int, key: int, standing: int) -> str:
    tag, value = divmod(key, CHARACTERS)
    field = tables.schema.fields[f"{tag:03}"]
    codes = field.indicators[number - 1] or Codes({}, {})
    name = "no single character" if value == ODD else repr(chr(value))
    if standing == OBSOLETE:
        return f"{tag:03} indicator {number} is {name} ({codes.deprecated.get(chr(value), '')}), which is obsolete"
    return f"{tag:03} indicator {number} is {name}; defined: {listed(list(codes.active))}"


def _subfields(rows: Rows, picked: Picked, tables: Tables, findings: Findings) -> None:
    findings.at_rows("subfield.code", picked.of(NO_CODE))
    for code, wanted, words in (
        ("subfield.undefined", UNDEFINED_CODE, "has no"),
        ("subfield.obsolete", OBSOLETE_CODE, "had once"),
    ):
        places = picked.of(wanted)
        if len(places):
            keys, which = np.unique(rows.key(places), return_inverse=True)
            said = [f"{key // CHARACTERS:03} {words} ${chr(key % CHARACTERS)}" for key in keys.tolist()]
            findings.at_rows(code, places, detail=Picks(said, which))
    findings.at_rows("subfield.repeated", picked.of(REPEATED))
    findings.at_rows("subfield.empty", picked.of(EMPTY))
    for tag, letter in tables.required_subfields:
        fields = rows.of_tag(tag)
        has = np.zeros(len(rows.tag), dtype=bool)
        has[rows.first_of(fields, letter)[0]] = True
        findings.at_fields(
            "subfield.missing", fields[~has[fields]], detail=f"{_label(tables, f'{tag:03}')} needs ${letter}"
        )


def _order(rows: Rows, picked: Picked, tables: Tables, findings: Findings) -> None:
    if tables.kind != "unimarc":
        findings.at_rows("subfield.order", picked.of(BEHIND), detail="$6 is not the first subfield")
    for tag, order in tables.ordered.items():
        rank = np.full(CHARACTERS, -1)
        rank[[ord(code) for code in order]] = np.arange(len(order))
        places = rows.rows_of(tag)
        known = places[rank[rows.code[places]] >= 0]
        ranks, fields = rank[rows.code[known]], rows.field[known]
        wrong: Ints = known[1:][(ranks[1:] < ranks[:-1]) & (fields[1:] == fields[:-1])]
        findings.at_rows("subfield.order", wrong, detail=f"the order in {tag:03} is ${' $'.join(order)}", rule="schema")
