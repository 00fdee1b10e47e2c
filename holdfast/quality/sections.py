"""The sections of a quality report that are of the load itself: issues, examples, completeness, encodings, quarantine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from holdfast.marc.encoding import FOUND
from holdfast.marc.faults import FAULTS
from holdfast.marc.validation.issues import KINDS
from holdfast.quality.expected import Expected
from holdfast.quality.figures import Figures, as_claimed
from holdfast.quality.markup import (
    SEVERITY_NAMES,
    Cell,
    badge,
    html_figure,
    html_table,
    identifier,
    percent,
    plain,
    records_of,
    safe,
)
from holdfast.quality.plots import bars, described
from holdfast.quality.trend import Point, median

_CODES_PLOTTED = 15
_MATERIALS_SHOWN = 7


def what_it_is(row: Mapping[str, Any]) -> str:
    kind = KINDS.get(row["code"])
    return kind.what if kind else str(row["message"] or "")


def what_mends_it(row: Mapping[str, Any]) -> str:
    kind = KINDS.get(row["code"])
    return str(row["hint"] or (kind.hint if kind else ""))


def issues_section(figures: Figures) -> str:
    issues = figures.tables["issues"]
    if not issues.height:
        return "<p>No issues.</p>"
    readable = figures.summary["readable"] or 1
    top = issues.sort("records", "code", descending=[True, False]).head(_CODES_PLOTTED)
    shares = [records / readable for records in top["records"]]
    names = [SEVERITY_NAMES.get(each, "note") for each in top["severity"]]
    texts = [f"{count:,} ({plain(percent(share))})" for count, share in zip(top["records"], shares, strict=True)]
    told = described(dict(zip(top["code"], texts, strict=True)))
    more = issues.height - top.height
    plot = bars("plot-issues", "Records with each kind of issue", told, top["code"].to_list(), shares, names, texts)
    caption = "Records with each kind of issue" + (
        f"; the {top.height} most frequent, {more} more are in the table" if more else ""
    )
    rows = [
        (
            f'<a href="#{identifier("code", row["code"])}"><code>{safe(row["code"])}</code></a>',
            badge(row["severity"]),
            safe(what_it_is(row)),
            f"{row['issues']:,}",
            f"{row['records']:,}",
            Cell(percent(row["records"] / readable), heat=row["records"] / readable),
            safe(what_mends_it(row)),
        )
        for row in issues.iter_rows(named=True)
    ]
    head = ("Code", "Severity", "What", "Issues", "Records", "Share", "What mends it")
    keys = '<p class="key">' + " ".join(badge(each) for each in SEVERITY_NAMES) + "</p>"
    return keys + html_figure(plot, caption) + html_table("All kinds of issues, errors first", head, rows, (3, 4, 5))


def examples_section(figures: Figures) -> str:
    examples = figures.tables["examples"]
    if not examples.height:
        return "<p>No issues.</p>"
    out = []
    for row in figures.tables["issues"].iter_rows(named=True):
        own = examples.filter(code=row["code"])
        rows = [
            (
                f"{safe(each['file'])} <b>record {each['record']:,}</b>",
                safe(each["control_number"]),
                Cell(safe(_cut(each["title"] or "", 60)), "words"),
                f"<b>{safe(_place(each))}</b>",
                Cell(f"<code>{safe(each['value'])}</code>" if each["value"] else "–", "value"),
                Cell(safe(each["message"] if each["message"] != what_it_is(row) else ""), "words"),
            )
            for each in own.iter_rows(named=True)
        ]
        title = (
            f'<h3 id="{identifier("code", row["code"])}"><code>{safe(row["code"])}</code> {badge(row["severity"])}</h3>'
        )
        counts = (
            f"{row['issues']:,} in {records_of(row['records'])}; the first {own.height}"
            if row["records"] > own.height
            else f"{row['issues']:,} in {records_of(row['records'])}"
        )
        head = ("Place", "Control number", "Title", "Field", "Value", "Message")
        out.append(
            f"<article>{title}<p>{safe(what_it_is(row))}. <i>{safe(what_mends_it(row))}.</i></p>"
            f"{html_table(counts, head, rows)}</article>"
        )
    return "\n".join(out)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _place(row: Mapping[str, Any]) -> str:
    """'245 (2) $a, character 3'."""
    place = str(row["tag"] or "record")
    place += f" ({row['occurrence']})" if (row["occurrence"] or 1) > 1 else ""
    place += f" ${row['subfield']}" if row["subfield"] else ""
    return place + (f", character {row['position']}" if row["position"] is not None else "")


def completeness_section(figures: Figures, points: Sequence[Point], expected: Sequence[Expected]) -> str:
    table = figures.tables["completeness"]
    shares = figures.completeness
    shown = [each for each in expected if each.name in shares]
    if not shown:
        return "<p>No record could be read.</p>"
    texts = [plain(percent(shares[each.name])) for each in shown]
    plot = bars(
        "plot-completeness", "Share of records that have each field", described(dict(zip((each.label for each in shown), texts, strict=True))),
        [each.label for each in shown], [shares[each.name] for each in shown], ["accent"] * len(shown), texts, top=1,
    )  # fmt: skip
    materials, others = _materials(table)
    merged = table.with_columns(
        pl.when(pl.col("material_type").is_in(materials))
        .then("material_type")
        .otherwise(pl.lit("others"))
        .alias("material_type")
    )
    sums = merged.group_by("expected", "material_type").agg(pl.col("present", "records").sum())
    cells = {(name, material): (have, of) for name, material, have, of in sums.iter_rows()}
    columns = materials + (["others"] if others else [])
    counts = table.group_by("material_type").agg(pl.col("records").max())
    of_material = dict(counts.iter_rows())
    totals = {each: of_material[each] for each in materials} | {"others": sum(of_material[each] for each in others)}
    earlier = points[:-1]
    rows: list[list[Cell | str]] = []
    for each in shown:
        usual = median(point.completeness.get(each.name) for point in earlier)
        row: list[Cell | str] = [
            safe(each.label),
            f"<code>{safe(each.place)}</code>",
            _heat(shares[each.name]),
            percent(usual),
        ]
        rows.append([*row, *(_heat_of(cells.get((each.name, material))) for material in columns)])
    head = ["Field", "MARC", "All", "Usual", *(f"{safe(each)}<br><small>{totals[each]:,}</small>" for each in columns)]
    caption = (
        "Share of records that have the field, by type of material (leader/06-07); a blank cell: not expected of it"
    )
    note = f"<p>“others”: {safe(', '.join(others))}.</p>" if others else ""
    return (
        "<p>Of the records that should have the field by their type of material. “Usual” is the median of the loads before.</p>"
        + html_figure(plot, "Share of records that have each field")
        + html_table(caption, head, rows, tuple(range(2, len(head))))
        + note
    )


def _materials(table: pl.DataFrame) -> tuple[list[str], list[str]]:
    """The most frequent types of material, and the others."""
    by = (
        table.group_by("material_type")
        .agg(pl.col("records").max())
        .sort("records", "material_type", descending=[True, False])
    )
    names = by["material_type"].to_list()
    return names[:_MATERIALS_SHOWN], sorted(names[_MATERIALS_SHOWN:])


def _heat(share: float) -> Cell:
    return Cell(percent(share), heat=share)


def _heat_of(counts: tuple[int, int] | None) -> Cell:
    return _heat(counts[0] / counts[1]) if counts and counts[1] else Cell("")


def encodings_section(figures: Figures) -> str:
    table = figures.tables["encodings"].with_columns(as_claimed().alias("right"))
    records = figures.summary["records"] or 1
    by = (
        table.group_by("found")
        .agg(pl.col("records").sum())
        .sort("records", "found", descending=[True, False])
        .drop_nulls()
    )
    texts = [f"{count:,} ({plain(percent(count / records))})" for count in by["records"]]
    plot = bars(
        "plot-encodings", "What the bytes of the records are", described(dict(zip(by["found"], texts, strict=True))),
        by["found"].to_list(), (by["records"] / records).to_list(), ["accent"] * by.height, texts, top=1,
    )  # fmt: skip
    rows = [
        (
            safe(row["claims"] or "–"),
            safe(row["found"] or "–"),
            safe(row["encoding"] or "–"),
            f"{row['records']:,}",
            Cell(percent(row["records"] / records), heat=row["records"] / records),
            _verdict(row),
        )
        for row in table.iter_rows(named=True)
    ]
    head = ("Claimed", "Found", "Decoded as", "Records", "Share", "Verdict")
    kinds = "".join(f"<dt>{safe(each)}</dt><dd>{safe(FOUND[each])}</dd>" for each in by["found"] if each in FOUND)
    return (
        "<p>What the leader claims, what the bytes are, and how they were decoded. A conversion is used only if it can be undone to the "
        "very same bytes.</p>"
        + html_figure(plot, "What the bytes of the records are")
        + html_table("Claims and findings", head, rows, (3, 4))
        + f'<dl class="kinds">{kinds}</dl>'
    )


def _verdict(row: Mapping[str, Any]) -> str:
    if row["encoding"] is None:
        return '<span class="badge error">rejected</span>'
    if row["found"] == "utf-8-twice" and row["encoding"] == "utf-8":
        return '<span class="badge warning">encoded twice</span> read as it stands'
    if row["right"]:
        return "as claimed" if row["claims"] != "unknown" else "no claim that is known"
    return '<span class="badge warning">not as claimed</span> decoded as what was found, without loss'


def quarantine_section(figures: Figures) -> str:
    faults, stopped, examples = (figures.tables[each] for each in ("faults", "stopped", "fault_examples"))
    out = []
    if not faults.height and not stopped.height:
        return "<p>Nothing: every record could be read, and none was stopped.</p>"
    if faults.height:
        rows = []
        for row in faults.iter_rows(named=True):
            fault = FAULTS.get(row["fault"])
            places = [
                f"<li>{safe(each['file'])} record {each['record']:,} byte {each['fault_byte'] or 0:,}: {safe(_cut(each['fault_detail'] or '', 160))}</li>"
                for each in examples.filter(fault=row["fault"]).iter_rows(named=True)
            ]
            rows.append(
                (
                    f"<code>{safe(row['fault'])}</code>",
                    f"{row['records']:,}",
                    safe(fault.rule if fault else ""),
                    Cell(f"<ul>{''.join(places)}</ul>", "words"),
                    safe(fault.hint if fault else ""),
                )
            )
        head = ("Fault", "Records", "Rule", "For example", "What mends it")
        out.append(html_table("Records that could not be read", head, rows, (1,)))
    if stopped.height:
        of_codes = [(f"<code>{safe(code)}</code>", f"{count:,}") for code, count in stopped.iter_rows()]
        out.append(
            html_table("Records that the source’s <code>stop_on</code> stopped", ("Code", "Records"), of_codes, (1,))
        )
    return "\n".join(out)
