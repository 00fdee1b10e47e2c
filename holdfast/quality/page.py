"""The quality report of a load as one HTML page: no scripts, nothing from elsewhere, for screen (dark or light) and paper.

Every text that comes from records or settings goes through `_text`; masked values never show.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any, NamedTuple

import polars as pl

from holdfast.marc.encoding import FOUND
from holdfast.marc.faults import FAULTS
from holdfast.marc.validation.issues import KINDS
from holdfast.quality.expected import FOLLOWED, Expected
from holdfast.quality.figures import MASKED, Figures, as_claimed
from holdfast.quality.plots import Panel, bars, described, number_of, panels
from holdfast.quality.trend import SEVERITIES, Point, median, point_of_figures, top_codes

_CODES_PLOTTED = 15
_MATERIALS_SHOWN = 7
_SEVERITY = {"error": "error", "warning": "warning", "info": "note"}
# A change that is worth a sentence: of shares in points, of issues a thousand records as a factor.
_POINTS, _FACTOR = 0.05, 1.5
# Controls, what turns the direction of text, and what HTML may not hold.
_INVISIBLE = re.compile(r"[\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufffe\uffff\ud800-\udfff]")


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
            _section("issues", "Issues", _issues(figures)),
            _section("examples", "Examples", _examples(figures)),
            _section("completeness", "Completeness", _completeness(figures, points, expected)),
            _section("encoding", "Encoding", _encodings(figures)),
            _section("quarantine", "Quarantine", _quarantine(figures)),
            _section("trend", "Trend", _trend(points, expected)),
        ]
    body.append(_foot(load))
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<meta name="color-scheme" content="light dark">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>Quality report: {_text(name)}, {_text(figures.day)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
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
    for row in figures.tables["issues"].head(10).iter_rows(named=True):
        lines.append(
            f"| `{row['code']}` | {_SEVERITY.get(row['severity'], row['severity'])} | {row['issues']:,} | {row['records']:,} |"
        )
    return "\n".join(lines if figures.tables["issues"].height else lines[:3])


# ---- pieces


def _text(value: object) -> str:
    """Escaped for HTML; control characters as their pictures, so that they neither vanish nor turn the text around."""
    text = re.sub(MASKED, "pii:…", "" if value is None else str(value))
    text = re.sub(r"[\x00-\x1f]", lambda match: chr(0x2400 + ord(match[0])), text)
    return escape(_INVISIBLE.sub(lambda match: f"[U+{ord(match[0]):04X}]", text))


def _identifier(*parts: str) -> str:
    return "-".join(re.sub(r"[^a-z0-9]+", "-", part.lower()).strip("-") for part in parts)


def _section(name: str, title: str, content: str) -> str:
    return f'<section aria-labelledby="{name}">\n<h2 id="{name}">{title}</h2>\n{content}\n</section>'


class _Cell(NamedTuple):
    """html: escaped. style: class names. heat: 0 to 1, a bar in the cell's back."""

    html: str
    style: str = ""
    heat: float | None = None


def _table(
    caption: str, head: Sequence[str], rows: Iterable[Sequence[_Cell | str]], numbers: Sequence[int] = ()
) -> str:
    """A table whose first column names its rows. numbers: columns that are set to the right. Cells that are str are HTML."""
    heads = "".join(
        f'<th scope="col"{" class=number" if n in numbers else ""}>{each}</th>' for n, each in enumerate(head)
    )
    out = [f'<div class="wide"><table>\n<caption>{caption}</caption>\n<thead><tr>{heads}</tr></thead>\n<tbody>']
    for row in rows:
        cells = []
        for n, each in enumerate(row):
            cell = each if isinstance(each, _Cell) else _Cell(each)
            style = " ".join(
                filter(None, ("number" if n in numbers else "", cell.style, "heat" if cell.heat is not None else ""))
            )
            marks = (f' class="{style}"' if style else "") + (
                f' style="--heat:{cell.heat * 100:.0f}%"' if cell.heat is not None else ""
            )
            cells.append(f'<th scope="row"{marks}>{cell.html}</th>' if n == 0 else f"<td{marks}>{cell.html}</td>")
        out.append(f"<tr>{''.join(cells)}</tr>")
    return "\n".join([*out, "</tbody></table></div>"])


def _figure(svg: str, caption: str) -> str:
    return f"<figure>{svg}<figcaption>{caption}</figcaption></figure>"


def _percent(share: float | None) -> str:
    """'12 %', '0.3 %', and neither 0 nor 100 where it is not quite that."""
    if share is None:
        return "–"
    percent = share * 100
    if percent in (0, 100):
        return f"{percent:.0f} %"
    if percent < 0.1:
        return "&lt; 0.1 %"
    if percent > 99.9:
        return "&gt; 99.9 %"
    return f"{percent:.1f} %" if percent < 10 or percent > 90 else f"{percent:.0f} %"


def _plain(text: str) -> str:
    return text.replace("&lt;", "<").replace("&gt;", ">")


def _thousand(value: float | None) -> str:
    return "–" if value is None else number_of(value)


def _records(count: int) -> str:
    return f"{count:,} record{'' if count == 1 else 's'}"


def _badge(severity: str) -> str:
    name = _SEVERITY.get(severity, severity)
    return f'<span class="badge {_text(name)}">{_text(name)}</span>'


def _head(load: Load, figures: Figures) -> str:
    links = " ".join(
        f'<a href="#{each}">{each.capitalize()}</a>'
        for each in ("issues", "examples", "completeness", "encoding", "quarantine", "trend")
    )
    return (
        f'<header><p class="over">{_text(load.library)} · quality report</p>'
        f"<h1>{_text(load.title or figures.source)} <span>{_text(figures.day)}</span></h1>"
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
            "Could not be read", f"{count['rejected']:,}", f"{_percent(now.rejected_share)} of all",
            _percent(before.rejected_share) if before else "", "error" if count["rejected"] else "",
        ),
        card(
            "Records with errors", f"{count['with_errors']:,}", f"{_percent(now.errors_share)} of those read",
            _percent(before.errors_share) if before else "", "error" if count["with_errors"] else "",
        ),
    ]  # fmt: skip
    for name in SEVERITIES:
        rate = _thousand(now.per_thousand(count[name]))
        was = _thousand(before.per_thousand(before.summary[name])) if before else ""
        cards.append(card(name.capitalize(), f"{count[name]:,}", f"{rate} a thousand records", was, name[:-1]))
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
    return _section("first", "What to look at first", f'<ul class="first">{items}</ul>')


def _rejections_said(figures: Figures) -> list[str]:
    said = []
    faults = figures.tables["faults"]
    if faults.height:
        top = faults.row(0, named=True)
        said.append(
            f"{_records(figures.summary['rejected'])} could not be read and {'is' if figures.summary['rejected'] == 1 else 'are'} in "
            f'<a href="#quarantine">quarantine</a>, most for <code>{_text(top["fault"])}</code> ({top["records"]:,}).'
        )
    if figures.summary["stopped"]:
        stopped = figures.summary["stopped"]
        said.append(
            f'The source’s <code>stop_on</code> stopped {_records(stopped)} (<a href="#quarantine">quarantine</a>).'
        )
    return said


def _encodings_said(figures: Figures) -> list[str]:
    count, twice = figures.not_as_claimed, figures.tables["encodings"].filter(found="utf-8-twice")["records"].sum()
    said = []
    if count:
        verb = "is" if count == 1 else "are"
        said.append(f'{_records(count)} {verb} in another <a href="#encoding">encoding</a> than claimed.')
    if twice:
        verb = "seems" if twice == 1 else "seem"
        said.append(
            f"{_records(twice)} {verb} to have been encoded twice (“Ã©” for “é”): ask the sender to mend the export."
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
        f'<a href="#{_identifier("code", code)}"><code>{_text(code)}</code></a> rose to {number_of(rate)} a thousand records; '
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
        f"{_text(each.label)} ({_text(each.place)}) is in {_percent(share)} of the records that should have it; {_percent(usual)} is usual "
        '(<a href="#completeness">completeness</a>).'
        for _, each, share, usual in sorted(losses, key=lambda loss: -loss[0])[:3]
    ]


def _most_said(figures: Figures) -> list[str]:
    return [
        f'<a href="#{_identifier("code", row["code"])}"><code>{_text(row["code"])}</code></a> is the most frequent '
        f"{_SEVERITY.get(row['severity'], row['severity'])}: {row['issues']:,} in {_records(row['records'])} — {_text(_what(row))}."
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
    names = [_SEVERITY.get(each, "note") for each in top["severity"]]
    texts = [f"{count:,} ({_plain(_percent(share))})" for count, share in zip(top["records"], shares, strict=True)]
    told = described(dict(zip(top["code"], texts, strict=True)))
    more = issues.height - top.height
    plot = bars("plot-issues", "Records with each kind of issue", told, top["code"].to_list(), shares, names, texts)
    caption = f"Records with each kind of issue; the {top.height} most frequent" + (
        f", {more} more in the table" if more else ""
    )
    rows = [
        (
            f'<a href="#{_identifier("code", row["code"])}"><code>{_text(row["code"])}</code></a>',
            _badge(row["severity"]),
            _text(_what(row)),
            f"{row['issues']:,}",
            f"{row['records']:,}",
            _Cell(_percent(row["records"] / readable), heat=row["records"] / readable),
            _text(_hint(row)),
        )
        for row in issues.iter_rows(named=True)
    ]
    head = ("Code", "Severity", "What", "Issues", "Records", "Share", "What mends it")
    keys = '<p class="key">' + " ".join(_badge(each) for each in _SEVERITY) + "</p>"
    return keys + _figure(plot, caption) + _table("All kinds of issues, errors first", head, rows, (3, 4, 5))


def _examples(figures: Figures) -> str:
    examples = figures.tables["examples"]
    if not examples.height:
        return "<p>No issues.</p>"
    out = []
    for row in figures.tables["issues"].iter_rows(named=True):
        own = examples.filter(code=row["code"])
        rows = [
            (
                f"{_text(each['file'])} <b>record {each['record']:,}</b>",
                _text(each["control_number"]),
                _Cell(_text(_cut(each["title"] or "", 60)), "words"),
                f"<b>{_text(_place(each))}</b>",
                _Cell(f"<code>{_text(each['value'])}</code>" if each["value"] else "–", "value"),
                _Cell(_text(each["message"]), "words"),
            )
            for each in own.iter_rows(named=True)
        ]
        title = f'<h3 id="{_identifier("code", row["code"])}"><code>{_text(row["code"])}</code> {_badge(row["severity"])}</h3>'
        counts = (
            f"{row['issues']:,} in {_records(row['records'])}; the first {own.height}"
            if row["records"] > own.height
            else f"{row['issues']:,} in {_records(row['records'])}"
        )
        head = ("Place", "Control number", "Title", "Field", "Value", "Message")
        out.append(
            f"<article>{title}<p>{_text(_what(row))}. <i>{_text(_hint(row))}.</i></p>"
            f"{_table(counts, head, rows)}</article>"
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
    texts = [_plain(_percent(shares[each.name])) for each in shown]
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
    rows = []
    for each in shown:
        usual = median(point.completeness.get(each.name) for point in earlier)
        row = [_text(each.label), f"<code>{_text(each.place)}</code>", _heat(shares[each.name]), _percent(usual)]
        rows.append([*row, *(_heat_of(cells.get((each.name, material))) for material in columns)])
    head = ["Field", "MARC", "All", "Usual", *(f"{_text(each)}<br><small>{totals[each]:,}</small>" for each in columns)]
    caption = (
        "Share of records that have the field, by type of material (leader/06-07); a blank cell: not expected of it"
    )
    note = f"<p>“others”: {_text(', '.join(others))}.</p>" if others else ""
    return (
        "<p>Of the records that should have the field by their type of material. “Usual” is the median of the loads before.</p>"
        + _figure(plot, "Share of records that have each field")
        + _table(caption, head, rows, tuple(range(2, len(head))))
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


def _heat(share: float) -> _Cell:
    return _Cell(_percent(share), heat=share)


def _heat_of(counts: tuple[int, int] | None) -> _Cell:
    return _heat(counts[0] / counts[1]) if counts and counts[1] else _Cell("")


def _encodings(figures: Figures) -> str:
    table = figures.tables["encodings"].with_columns(as_claimed().alias("right"))
    records = figures.summary["records"] or 1
    by = (
        table.group_by("found")
        .agg(pl.col("records").sum())
        .sort("records", "found", descending=[True, False])
        .drop_nulls()
    )
    texts = [f"{count:,} ({_plain(_percent(count / records))})" for count in by["records"]]
    plot = bars(
        "plot-encodings", "What the bytes of the records are", described(dict(zip(by["found"], texts, strict=True))),
        by["found"].to_list(), (by["records"] / records).to_list(), ["accent"] * by.height, texts, top=1,
    )  # fmt: skip
    rows = [
        (
            _text(row["claims"] or "–"),
            _text(row["found"] or "–"),
            _text(row["encoding"] or "–"),
            f"{row['records']:,}",
            _Cell(_percent(row["records"] / records), heat=row["records"] / records),
            _verdict(row),
        )
        for row in table.iter_rows(named=True)
    ]
    head = ("Claimed", "Found", "Decoded as", "Records", "Share", "Verdict")
    kinds = "".join(f"<dt>{_text(each)}</dt><dd>{_text(FOUND[each])}</dd>" for each in by["found"] if each in FOUND)
    return (
        "<p>What the leader claims, what the bytes are, and how they were decoded. A conversion is used only if it can be undone to the "
        "very same bytes.</p>"
        + _figure(plot, "What the bytes of the records are")
        + _table("Claims and findings", head, rows, (3, 4))
        + f'<dl class="kinds">{kinds}</dl>'
    )


def _verdict(row: Mapping[str, Any]) -> str:
    if row["encoding"] is None:
        return '<span class="badge error">rejected</span>'
    if row["found"] == "utf-8-twice" and row["encoding"] == "utf-8":
        return '<span class="badge warning">encoded twice</span> read as it stands'
    if row["right"]:
        return "as claimed" if row["claims"] != "unknown" else "no claim that is known"
    return '<span class="badge warning">not as claimed</span> converted without loss'


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
                f"{_text(each['file'])} record {each['record']:,} byte {each['fault_byte'] or 0:,}: {_text(_cut(each['fault_detail'] or '', 160))}"
                for each in examples.filter(fault=row["fault"]).iter_rows(named=True)
            ]
            rows.append(
                (
                    f"<code>{_text(row['fault'])}</code>",
                    f"{row['records']:,}",
                    _text(fault.rule if fault else ""),
                    _Cell("<br>".join(places), "words"),
                    _text(fault.hint if fault else ""),
                )
            )
        head = ("Fault", "Records", "Rule", "For example", "What mends it")
        out.append(_table("Records that could not be read", head, rows, (1,)))
    if stopped.height:
        rows = [(f"<code>{_text(code)}</code>", f"{count:,}") for code, count in stopped.iter_rows()]
        out.append(_table("Records that the source’s <code>stop_on</code> stopped", ("Code", "Records"), rows, (1,)))
    return "\n".join(out)


def _trend(points: Sequence[Point], expected: Sequence[Expected]) -> str:
    if len(points) < 2:
        return "<p>This is the first load of the source that has figures; from the next one on there is a trend.</p>"
    days = [point.day for point in points]
    issues = [
        Panel(
            f"{name.capitalize()} a thousand", [point.per_thousand(point.summary[name]) for point in points], name[:-1]
        )
        for name in SEVERITIES
    ]
    rejected = [
        Panel("Could not be read", [point.rejected_share for point in points], "error", 1),
        Panel("Records with errors", [point.errors_share for point in points], "error", 1),
        Panel("Records that came in", [float(point.summary["records"]) for point in points], "muted"),
    ]
    codes = top_codes(points)
    of_codes = [Panel(code, [point.per_thousand(point.codes.get(code, 0)) for point in points]) for code in codes]
    followed = [
        each for each in expected if each.name in FOLLOWED and any(each.name in point.completeness for point in points)
    ]
    complete = [
        Panel(each.label, [point.completeness.get(each.name) for point in points], "accent", 1) for each in followed
    ]
    out = [f"<p>This load and the {len(points) - 1} before it of the same source in which something came in.</p>"]
    for name, title, plots, columns, form in (
        ("plot-severities", "Issues a thousand records, by severity", issues, 3, _thousand),
        ("plot-loads", "Rejected records, records with errors, and size of the loads", rejected, 3, None),
        ("plot-codes", "The most frequent issues, a thousand records", of_codes, 3, _thousand),
        ("plot-fields", "Share of records that have each field", complete, 4, _percent),
    ):
        if plots:
            told = described(
                {each.title: ", ".join(_told(each, value, form) for value in each.values) for each in plots}
            )
            out.append(
                _figure(panels(name, title, f"By load, {days[0]} to {days[-1]}. {told}", days, plots, columns), title)
            )
    out.append(_trend_table(points, codes))
    out.append(_completeness_table(points, followed))
    return "\n".join(out)


def _told(panel: Panel, value: float | None, form: Any) -> str:
    if form is None:
        form = _percent if panel.top is not None else _thousand
    return _plain(form(value))


def _trend_table(points: Sequence[Point], codes: Sequence[str]) -> str:
    head = [
        "Day",
        "Records",
        "Not read",
        "With errors",
        *(each.capitalize() for each in SEVERITIES),
        *(f"<code>{_text(code)}</code>" for code in codes),
    ]
    rows = [
        [
            _text(point.day),
            f"{point.summary['records']:,}",
            _percent(point.rejected_share),
            _percent(point.errors_share),
            *(_thousand(point.per_thousand(point.summary[name])) for name in SEVERITIES),
            *(_thousand(point.per_thousand(point.codes.get(code, 0))) for code in codes),
        ]
        for point in reversed(points)
    ]
    return _table("Loads, the latest first; issues a thousand records", head, rows, tuple(range(1, len(head))))


def _completeness_table(points: Sequence[Point], followed: Sequence[Expected]) -> str:
    head = ["Day", *(_text(each.label) for each in followed)]
    rows = [
        [
            _text(point.day),
            *(_Cell(_percent(share), heat=share) for each in followed for share in [point.completeness.get(each.name)]),
        ]
        for point in reversed(points)
    ]
    return _table(
        "Share of records that have each field, the latest load first", head, rows, tuple(range(1, len(head)))
    )


def _foot(load: Load) -> str:
    return (
        "<footer><p>Errors, warnings and notes are those of the rules in force for the source; issues a thousand are of the records that "
        "could be read. Masked values are shown as <code>pii:…</code>, values are cut at 80 characters.</p>"
        f"<p>{_text(load.made)} {_text(load.versions)}</p></footer>"
    )


_STYLE = """
:root{color-scheme:light dark;--paper:#fff;--raised:#f6f5f2;--ink:#1d1d1f;--muted:#63636b;--grid:#e3e1dc;--error:#b3261e;
--warning:#9a5b00;--note:#2f6f4f;--accent:#2257a8;--heat-of:#2257a81f;--font:system-ui,"Segoe UI",Roboto,"Noto Sans",sans-serif}
@media (prefers-color-scheme:dark){:root{--paper:#17181b;--raised:#212328;--ink:#ececf0;--muted:#a5a7b0;--grid:#383b42;
--error:#ff8a80;--warning:#f2b15c;--note:#7fcba2;--accent:#8ab4f8;--heat-of:#8ab4f833}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 var(--font)}
main{max-width:78rem;margin:0 auto;padding:1.5rem}
h1{font-size:2rem;line-height:1.2;margin:.1rem 0 .6rem}h1 span{color:var(--muted);font-weight:400;white-space:nowrap}
h2{font-size:1.4rem;margin:2.6rem 0 .6rem;padding-top:.6rem;border-top:2px solid var(--grid)}
h3{font-size:1.05rem;margin:1.6rem 0 .2rem}
p{margin:.4rem 0;max-width:52rem}.over{color:var(--muted);margin:0}
a{color:var(--accent)}nav a{display:inline-block;margin-right:1rem}
code{font-family:ui-monospace,"SF Mono",Consolas,"Liberation Mono",monospace;font-size:.9em}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(10.5rem,1fr));gap:.8rem;margin:1.4rem 0}
.card{background:var(--raised);border-radius:.6rem;padding:.8rem 1rem;border-left:.3rem solid var(--grid)}
.card.error{border-color:var(--error)}.card.warning{border-color:var(--warning)}.card.note{border-color:var(--note)}
.card dt{color:var(--muted);font-size:.9rem}.card dd{margin:0}.card b{display:block;font-size:1.7rem;line-height:1.3}
.card span{display:block;font-size:.85rem}.card .was{color:var(--muted)}
.first li{margin:.35rem 0;max-width:60rem}
figure{margin:1rem 0;break-inside:avoid}figcaption{color:var(--muted);font-size:.9rem}
svg{display:block;width:100%;max-width:60rem;height:auto}
.wide{overflow-x:auto}
table{border-collapse:collapse;margin:.8rem 0 1.2rem;font-size:.9rem;width:100%}
caption{text-align:left;color:var(--muted);padding:.2rem 0}
th,td{text-align:left;vertical-align:top;padding:.35rem .6rem;border-bottom:1px solid var(--grid)}
thead th{border-bottom:2px solid var(--muted);vertical-align:bottom}tbody th{font-weight:400}
.number{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.heat{background:linear-gradient(to right,var(--heat-of) var(--heat),transparent var(--heat))}
.value code{white-space:pre-wrap;overflow-wrap:anywhere}.words{overflow-wrap:anywhere;min-width:10rem}
.badge{display:inline-block;border:1px solid currentColor;border-radius:.8rem;padding:0 .55rem;font-size:.8rem;white-space:nowrap}
.badge.error{color:var(--error)}.badge.warning{color:var(--warning)}.badge.note{color:var(--note)}
.kinds{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1rem;font-size:.9rem}.kinds dt{font-weight:600}.kinds dd{margin:0}
small{color:var(--muted)}footer{margin-top:3rem;border-top:2px solid var(--grid);color:var(--muted);font-size:.85rem}
@media print{:root{--paper:#fff;--raised:#fff;--ink:#000;--muted:#444;--grid:#bbb;--error:#8c1d18;--warning:#7a4700;--note:#1f5038;
--accent:#1b468a;--heat-of:#1b468a26;color-scheme:light}
*{print-color-adjust:exact;-webkit-print-color-adjust:exact}body{font-size:10pt}main{max-width:none;padding:0}nav{display:none}
.wide{overflow:visible}tr,.card,h2,h3,article>p{break-inside:avoid}h2,h3{break-after:avoid}thead{display:table-header-group}
table{font-size:8pt}th,td{padding:.2rem .35rem}a{color:inherit;text-decoration:none}@page{margin:15mm}}
"""
