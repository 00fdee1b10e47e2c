"""The quality report of a load as one HTML page: no scripts, nothing from elsewhere, for screen (dark or light) and paper.

Every text that comes from records or settings goes through `safe`; masked values never show.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import polars as pl

from holdfast.marc.encoding import FOUND
from holdfast.marc.faults import FAULTS
from holdfast.marc.validation.issues import KINDS
from holdfast.quality.expected import FOLLOWED, Expected
from holdfast.quality.figures import Figures, as_claimed
from holdfast.quality.markup import (
    SEVERITY_NAMES,
    Cell,
    badge,
    breakable,
    html_figure,
    html_section,
    html_table,
    identifier,
    percent,
    plain,
    records_of,
    safe,
    thousand,
)
from holdfast.quality.plots import Panel, bars, described, number_of, panels
from holdfast.quality.style import STYLE
from holdfast.quality.trend import SEVERITIES, Point, median, point_of_figures, top_codes

_CODES_PLOTTED = 15
_MATERIALS_SHOWN = 7
# A change that is worth a sentence: of shares in points, of issues a thousand records as a factor.
_POINTS, _FACTOR = 0.05, 1.5


class Load(NamedTuple):
    """What the page is of. title: of the source, for people. made: when, for people. versions: of rules and code, for people."""

    library: str
    title: str
    made: str = ""
    versions: str = ""


def page(load: Load, figures: Figures, earlier: Sequence[Point], expected: Sequence[Expected]) -> str:
    """HTML of the report.

    Args:
        earlier: loads of the same source before this one, the oldest first.
        expected: of the source's dialect.
    """
    points = [*earlier, point_of_figures(figures)]
    name = load.title or figures.source
    body = [_head(load, figures), _cards(points)]
    if not figures.summary["records"]:
        body.append("<p>Nothing came in: there is nothing to report.</p>")
    else:
        body += [
            _first_looks(figures, points, expected),
            html_section("issues", "Issues", _issues(figures)),
            html_section("completeness", "Completeness", _completeness(figures, points, expected)),
            html_section("encoding", "Encoding", _encodings(figures)),
            html_section("quarantine", "Quarantine", _quarantine(figures)),
            html_section("trend", "Trend", _trend(points, expected)),
            html_section("examples", "Examples", _examples(figures)),
        ]
    body.append(_foot(load))
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<meta name="color-scheme" content="light dark">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>Quality report: {safe(name)}, {safe(figures.day)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(body)
        + "\n</main>\n</body>\n</html>\n"
    )


def summary_markdown(figures: Figures, address: str) -> str:
    """The most important of it, for the asset's page in the UI."""
    count = figures.summary
    lines = [
        f"{count['records']:,} records came in, {count['rejected']:,} could not be read, {count['with_errors']:,} have an error.",
        "",
        f"The whole report: {address}",
        "",
        "| code | severity | issues | records |",
        "|---|---|--:|--:|",
    ]
    lines += [
        f"| `{row['code']}` | {SEVERITY_NAMES.get(row['severity'], row['severity'])} | {row['issues']:,} | {row['records']:,} |"
        for row in figures.tables["issues"].head(10).iter_rows(named=True)
    ]
    return "\n".join(lines if figures.tables["issues"].height else lines[:3])


def _head(load: Load, figures: Figures) -> str:
    links = " ".join(
        f'<a href="#{each}">{each.capitalize()}</a>'
        for each in ("issues", "completeness", "encoding", "quarantine", "trend", "examples")
    )
    return (
        f'<header><p class="over">{safe(load.library)} · quality report</p>'
        f"<h1>{safe(load.title or figures.source)} <span>{safe(figures.day)}</span></h1>"
        f'<nav aria-label="Sections">{links}</nav></header>'
    )


def _cards(points: Sequence[Point]) -> str:
    now, before = points[-1], points[-2] if len(points) > 1 else None
    if before is not None and not now.summary["records"]:
        before = None

    def card(name: str, value: str, more: str, was: str = "", style: str = "") -> str:
        last = f'<span class="was">last load: {was}</span>' if was else ""
        return f'<div class="card {style}"><dt>{name}</dt><dd><b>{value}</b><span>{more}</span>{last}</dd></div>'

    count = now.summary
    readable = count["readable"]
    cards = [
        card("Records", f"{count['records']:,}", f"{readable:,} could be read", f"{before.summary['records']:,}" if before else ""),
        card(
            "Could not be read", f"{count['rejected']:,}", f"{percent(now.rejected_share)} of all",
            percent(before.rejected_share) if before else "", "error" if count["rejected"] else "",
        ),
        card(
            "Records with errors", f"{count['with_errors']:,}", f"{percent(now.errors_share)} of those read",
            percent(before.errors_share) if before else "", "error" if count["with_errors"] else "",
        ),
    ]  # fmt: skip
    for name in SEVERITIES:
        rate = thousand(now.per_thousand(count[name]))
        was = thousand(before.per_thousand(before.summary[name])) if before else ""
        cards.append(
            card(
                name.capitalize(),
                f"{count[name]:,}",
                f"{rate} a thousand records",
                was,
                name[:-1] if count[name] else "",
            )
        )
    return f'<dl class="cards">{"".join(cards)}</dl>'


def _first_looks(figures: Figures, points: Sequence[Point], expected: Sequence[Expected]) -> str:
    """Sentences on what a person should look at first; what is unlike the loads before comes before what is much."""
    said = [
        *_rejections_said(figures),
        *_encodings_said(figures),
        *_rises_said(points),
        *_losses_said(points, expected),
    ]
    said += _most_said(figures)
    items = "".join(f"<li>{each}</li>" for each in said) or "<li>Nothing stands out.</li>"
    return html_section("first", "What to look at first", f'<ul class="first">{items}</ul>')


def _rejections_said(figures: Figures) -> list[str]:
    said = []
    faults = figures.tables["faults"]
    if faults.height:
        top, rejected = faults.row(0, named=True), figures.summary["rejected"]
        most = f", most for <code>{safe(top['fault'])}</code> ({top['records']:,})" if top["records"] > 1 else ""
        said.append(
            f"{records_of(rejected)} could not be read and {'is' if rejected == 1 else 'are'} in "
            f'<a href="#quarantine">quarantine</a>{most}.'
        )
    if figures.summary["stopped"]:
        stopped = figures.summary["stopped"]
        said.append(
            f'The source’s <code>stop_on</code> stopped {records_of(stopped)} (<a href="#quarantine">quarantine</a>).'
        )
    return said


def _encodings_said(figures: Figures) -> list[str]:
    count, twice = figures.not_as_claimed, figures.found.get("utf-8-twice", 0)
    said = []
    if count:
        verb = "is" if count == 1 else "are"
        said.append(f'{records_of(count)} {verb} in another <a href="#encoding">encoding</a> than claimed.')
    if twice:
        verb = "seems" if twice == 1 else "seem"
        said.append(
            f"{records_of(twice)} {verb} to have been encoded twice (“Ã©” for “é”): ask the sender to mend the export."
        )
    return said


def _rises_said(points: Sequence[Point]) -> list[str]:
    """Codes that are much more frequent than they use to be."""
    *earlier, now = points
    if not earlier:
        return []
    rises = []
    for code, count in now.codes.items():
        rate = now.per_thousand(count) or 0
        usual = median(point.per_thousand(point.codes.get(code, 0)) for point in earlier)
        if usual is not None and rate > usual * _FACTOR and rate - usual >= 1:
            rises.append((rate - usual, code, rate, usual))
    return [
        f'<a href="#{identifier("code", code)}"><code>{safe(code)}</code></a> rose to {number_of(rate)} a thousand records; '
        f"{number_of(usual)} is usual."
        for _, code, rate, usual in sorted(rises, reverse=True)[:3]
    ]


def _losses_said(points: Sequence[Point], expected: Sequence[Expected]) -> list[str]:
    """Fields that fewer records have than usual."""
    *earlier, now = points
    losses = []
    for each in expected:
        usual = median(point.completeness.get(each.name) for point in earlier)
        share = now.completeness.get(each.name)
        if usual is not None and share is not None and usual - share >= _POINTS:
            losses.append((usual - share, each, share, usual))
    return [
        f"{safe(each.label)} ({safe(each.place)}) is in {percent(share)} of the records that should have it; {percent(usual)} is usual "
        '(<a href="#completeness">completeness</a>).'
        for _, each, share, usual in sorted(losses, key=lambda loss: -loss[0])[:3]
    ]


def _most_said(figures: Figures) -> list[str]:
    return [
        f'<a href="#{identifier("code", row["code"])}"><code>{safe(row["code"])}</code></a> is the most frequent '
        f"{SEVERITY_NAMES.get(row['severity'], row['severity'])}: {row['issues']:,} in {records_of(row['records'])} — {safe(_what(row))}."
        for severity in ("error", "warning")
        for row in figures.tables["issues"].filter(severity=severity).head(1).iter_rows(named=True)
    ]


def _what(row: Mapping[str, Any]) -> str:
    kind = KINDS.get(row["code"])
    return kind.what if kind else str(row["message"] or "")


def _hint(row: Mapping[str, Any]) -> str:
    kind = KINDS.get(row["code"])
    return str(row["hint"] or (kind.hint if kind else ""))


def _issues(figures: Figures) -> str:
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
            safe(_what(row)),
            f"{row['issues']:,}",
            f"{row['records']:,}",
            Cell(percent(row["records"] / readable), heat=row["records"] / readable),
            safe(_hint(row)),
        )
        for row in issues.iter_rows(named=True)
    ]
    head = ("Code", "Severity", "What", "Issues", "Records", "Share", "What mends it")
    keys = '<p class="key">' + " ".join(badge(each) for each in SEVERITY_NAMES) + "</p>"
    return keys + html_figure(plot, caption) + html_table("All kinds of issues, errors first", head, rows, (3, 4, 5))


def _examples(figures: Figures) -> str:
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
                Cell(safe(each["message"] if each["message"] != _what(row) else ""), "words"),
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
            f"<article>{title}<p>{safe(_what(row))}. <i>{safe(_hint(row))}.</i></p>"
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


def _completeness(figures: Figures, points: Sequence[Point], expected: Sequence[Expected]) -> str:
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


def _encodings(figures: Figures) -> str:
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


def _quarantine(figures: Figures) -> str:
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


def _trend(points: Sequence[Point], expected: Sequence[Expected]) -> str:
    if len(points) < 2:
        return "<p>This is the first load of the source that has figures; from the next one on there is a trend.</p>"
    days = [point.day for point in points]
    codes = top_codes(points)
    followed = [
        each for each in expected if each.name in FOLLOWED and any(each.name in point.completeness for point in points)
    ]
    loads = [
        _shares("Could not be read", [point.rejected_share for point in points], "error"),
        _shares("Records with errors", [point.errors_share for point in points], "error"),
        _rates("Records that came in", [float(point.summary["records"]) for point in points], "muted"),
    ]
    rows = {
        "Issues a thousand records, by severity": [
            _rates(name.capitalize(), [point.per_thousand(point.summary[name]) for point in points], name[:-1])
            for name in SEVERITIES
        ],
        "Rejected records, records with errors, and size of the loads": loads,
        "The most frequent issues, a thousand records": [
            _rates(code, [point.per_thousand(point.codes.get(code, 0)) for point in points]) for code in codes
        ],
        "Share of records that have each field": [
            _shares(each.label, [point.completeness.get(each.name) for point in points], top=1) for each in followed
        ],
    }
    before = "load" if len(points) == 2 else f"{len(points) - 1} loads"
    out = [f"<p>This load and the {before} before it of the same source in which something came in.</p>"]
    for number, (title, plots) in enumerate(rows.items()):
        if plots:
            told = described({each.title: ", ".join(map(_told(each), each.values)) for each in plots})
            about = f"By load, {days[0]} to {days[-1]}. {told}"
            out.append(html_figure(panels(f"plot-trend-{number}", title, about, days, plots, 3), title))
    out += [_trend_table(points, codes), _completeness_table(points, followed)]
    return "\n".join(out)


def _rates(title: str, values: Sequence[float | None], colour: str = "accent") -> Panel:
    return Panel(title, values, thousand(values[-1]), colour)


def _shares(title: str, values: Sequence[float | None], colour: str = "accent", top: float | None = None) -> Panel:
    return Panel(title, values, plain(percent(values[-1])), colour, percent=True, top=top)


def _told(panel: Panel) -> Callable[[float | None], str]:
    return (lambda value: plain(percent(value))) if panel.percent else thousand


def _trend_table(points: Sequence[Point], codes: Sequence[str]) -> str:
    names = ["Day", "Records", "Not read", "With errors", *(each.capitalize() for each in SEVERITIES)]
    head = [*names, *(f"<code>{breakable(code)}</code>" for code in codes)]
    rows = [
        [
            f'<span class="day">{safe(point.day)}</span>',
            f"{point.summary['records']:,}",
            percent(point.rejected_share),
            percent(point.errors_share),
            *(thousand(point.per_thousand(point.summary[name])) for name in SEVERITIES),
            *(thousand(point.per_thousand(point.codes.get(code, 0))) for code in codes),
        ]
        for point in reversed(points)
    ]
    return html_table("Loads, the latest first; issues a thousand records", head, rows, tuple(range(1, len(head))))


def _completeness_table(points: Sequence[Point], followed: Sequence[Expected]) -> str:
    head = ["Day", *(safe(each.label) for each in followed)]
    rows: list[list[Cell | str]] = [
        [
            f'<span class="day">{safe(point.day)}</span>',
            *(Cell(percent(share), heat=share) for each in followed for share in [point.completeness.get(each.name)]),
        ]
        for point in reversed(points)
    ]
    return html_table(
        "Share of records that have each field, the latest load first", head, rows, tuple(range(1, len(head)))
    )


def _foot(load: Load) -> str:
    return (
        "<footer><p>Errors, warnings and notes are those of the rules in force for the source; issues a thousand are of the records that "
        "could be read. Masked values are shown as <code>pii:…</code>, values are cut at 80 characters.</p>"
        f"<p>{safe(load.made)} {safe(load.versions)}</p></footer>"
    )
