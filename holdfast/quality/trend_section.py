"""The section of a quality report that sets a load beside those before it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from holdfast.quality.expected import FOLLOWED, Expected
from holdfast.quality.markup import (
    Cell,
    breakable,
    html_figure,
    html_table,
    percent,
    plain,
    safe,
    thousand,
)
from holdfast.quality.plots import Panel, described, panels
from holdfast.quality.trend import SEVERITIES, Point, top_codes


def trend_section(points: Sequence[Point], expected: Sequence[Expected]) -> str:
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
