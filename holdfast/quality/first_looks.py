"""What to look at first in a quality report, in sentences; what is unlike the loads before comes before what is much."""

from __future__ import annotations

from collections.abc import Sequence

from holdfast.quality.expected import Expected
from holdfast.quality.figures import Figures
from holdfast.quality.markup import (
    SEVERITY_NAMES,
    html_section,
    identifier,
    percent,
    records_of,
    safe,
)
from holdfast.quality.plots import number_of
from holdfast.quality.sections import what_it_is
from holdfast.quality.trend import Point, median

# A change that is worth a sentence: of shares in points, of issues a thousand records as a factor.
_POINTS, _FACTOR = 0.05, 1.5


def first_looks(figures: Figures, points: Sequence[Point], expected: Sequence[Expected]) -> str:
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
        f"{SEVERITY_NAMES.get(row['severity'], row['severity'])}: {row['issues']:,} in {records_of(row['records'])} — {safe(what_it_is(row))}."
        for severity in ("error", "warning")
        for row in figures.tables["issues"].filter(severity=severity).head(1).iter_rows(named=True)
    ]
