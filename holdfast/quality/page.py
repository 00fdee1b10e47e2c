"""The quality report of a load as one HTML page: no scripts, nothing from elsewhere, for screen (dark or light) and paper.

Every text that comes from records or settings goes through `safe`; masked values never show.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from holdfast.quality.expected import Expected
from holdfast.quality.figures import Figures
from holdfast.quality.first_looks import first_looks
from holdfast.quality.markup import (
    SEVERITY_NAMES,
    html_section,
    percent,
    safe,
    thousand,
)
from holdfast.quality.sections import (
    completeness_section,
    encodings_section,
    examples_section,
    issues_section,
    quarantine_section,
)
from holdfast.quality.style import STYLE
from holdfast.quality.trend import SEVERITIES, Point, point_of_figures
from holdfast.quality.trend_section import trend_section


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
            first_looks(figures, points, expected),
            html_section("issues", "Issues", issues_section(figures)),
            html_section("completeness", "Completeness", completeness_section(figures, points, expected)),
            html_section("encoding", "Encoding", encodings_section(figures)),
            html_section("quarantine", "Quarantine", quarantine_section(figures)),
            html_section("trend", "Trend", trend_section(points, expected)),
            html_section("examples", "Examples", examples_section(figures)),
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


def _foot(load: Load) -> str:
    return (
        "<footer><p>Errors, warnings and notes are those of the rules in force for the source; issues a thousand are of the records that "
        "could be read. Masked values are shown as <code>pii:…</code>, values are cut at 80 characters.</p>"
        f"<p>{safe(load.made)} {safe(load.versions)}</p></footer>"
    )
