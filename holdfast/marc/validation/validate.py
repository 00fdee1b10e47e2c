"""Validation: frames and rules in, a frame of issues out."""

from __future__ import annotations

import numpy as np
import polars as pl

from holdfast.marc.frames import Frames
from holdfast.marc.string_views import text
from holdfast.marc.validation.columns import Characters, characters
from holdfast.marc.validation.content import check_characters, check_record, check_values
from holdfast.marc.validation.findings import Findings
from holdfast.marc.validation.fixed import check_fixed
from holdfast.marc.validation.issues import ISSUES
from holdfast.marc.validation.links import Links, check_captions, check_entries, check_links, give_shapes
from holdfast.marc.validation.local import check_local
from holdfast.marc.validation.rows import Mask, Rows, as_rows
from holdfast.marc.validation.rules import Rules
from holdfast.marc.validation.scan import scan
from holdfast.marc.validation.structure import check_structure
from holdfast.marc.validation.tables import Tables

# Leader/06 (MARC 21): the kinds of record that have a format of their own; all others are bibliographic.
_KIND_OF_TYPE = {"z": "authority", "u": "holdings", "v": "holdings", "x": "holdings", "y": "holdings", "w": "", "q": ""}


def validate(frames: Frames, rules: Rules) -> pl.DataFrame:
    """Issues in the shape of ISSUES, by record and field; records that can't be read have none here.

    Args:
        frames: records with at least the columns record and leader of frames.RECORDS; subfields as frames.SUBFIELDS.
        rules: of the records' source.
    """
    records = pl.DataFrame([frames.records["record"], frames.records["leader"]])
    if records["leader"].null_count():
        records = records.filter(pl.col("leader").is_not_null())
    subfields = frames.subfields
    if not records["record"].is_sorted():
        records = records.sort("record")
    if not subfields["record"].is_sorted():
        subfields = subfields.sort("record", maintain_order=True)
    found = []
    leaders = characters(text(records["leader"]), np.arange(records.height), 24)
    for kind, chosen in _kinds(leaders, rules).items():
        own = records if chosen.all() else records.filter(pl.Series(chosen))
        some = own.height < records.height or frames.records.height > records.height
        parts = (
            subfields.join(own.select("record"), on="record", how="semi", maintain_order="left") if some else subfields
        )
        rows = as_rows(own, parts, leaders if own is records else None)
        found.append(_validate_kind(rows, rules, rules.tables[kind]))
    if len(found) == 1:
        return found[0]
    return pl.concat([pl.DataFrame(schema=ISSUES), *found]).sort("record", "field", maintain_order=True)


def _kinds(leaders: Characters, rules: Rules) -> dict[str, Mask]:
    """Kind of record → which records are of it."""
    if "unimarc" in rules.tables:
        return {"unimarc": np.ones(len(leaders.plain), dtype=bool)} if len(leaders.plain) else {}
    types = leaders.matrix[:, 6]
    by_kind: dict[str, list[int]] = {}
    for number in np.flatnonzero(np.bincount(types, minlength=1)).tolist():
        by_kind.setdefault(_KIND_OF_TYPE.get(chr(number), "bibliographic"), []).append(number)
    return {kind: np.isin(types, numbers) for kind, numbers in by_kind.items()}


def _validate_kind(rows: Rows, rules: Rules, tables: Tables) -> pl.DataFrame:
    findings = Findings(rows, rules.severities, tables.schema.name, rules.hints)
    links = Links(rows)
    if tables.kind != "unimarc":
        give_shapes(rows, links)
    picked = scan(
        rows.field, rows.code, rows.tag, rows.shape, rows.ind2, tables.standing, tables.check, tables.forms, rows.text,
        tables.memory, marc21=tables.kind != "unimarc",
    )  # fmt: skip
    check_structure(rows, picked, tables, findings)
    check_characters(picked, findings)
    check_values(rows, picked, tables, findings)
    check_fixed(rows, tables, findings, rules.languages, rules.countries)
    if tables.kind == "":
        findings.at_records("record.no_schema", np.arange(rows.records.height), tag="LDR", position=6)
    elif tables.kind != "unimarc":
        check_links(rows, links, findings)
        check_record(rows, tables, findings)
        if tables.kind == "holdings":
            check_captions(rows, findings)
        if tables.kind == "bibliographic":
            check_entries(rows, findings)
    for rule in rules.local:
        if not rule.records or tables.kind in rule.records:
            check_local(rule, rows, links, findings)
    return findings.frame()
