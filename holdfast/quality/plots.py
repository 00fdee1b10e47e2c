"""Plots as SVG that stands in a page: colours are the page's (dark or light), text is text, nothing leads out."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from html import escape
from typing import Any, NamedTuple

from holdfast.quality.texts import legible

# What matplotlib draws in these colours is in the page's: they are distinct, and no plot has them otherwise.
_COLOURS = {"ink": "#010203", "muted": "#010204", "grid": "#010205", "error": "#010206", "warning": "#010207",
            "note": "#010208", "accent": "#010209", "paper": "#01020a"}  # fmt: skip
_WIDTH = 9.6  # inches of 72 points
Values = Sequence[float | None]


class Panel(NamedTuple):
    """One of the small plots of a row: a line over the loads.

    Attributes:
        colour: of the page.
        last: the last value as people read it.
        percent: whether the values are shares.
        top: of the axis; None: by the values.
    """

    title: str
    values: Values
    last: str
    colour: str = "accent"
    percent: bool = False
    top: float | None = None


@contextmanager
def _figure(name: str, height: float, rows: int = 1, columns: int = 1) -> Iterator[tuple[Any, Any]]:
    # Here, not above: matplotlib takes a third of a second, which runs that plot nothing should not wait for.
    import matplotlib as mpl
    from matplotlib.figure import Figure

    settings: Any = {
        "svg.fonttype": "none", "svg.hashsalt": name, "font.family": "sans-serif", "font.size": 10, "text.parse_math": False,
        "text.color": _COLOURS["ink"], "axes.labelcolor": _COLOURS["ink"], "xtick.color": _COLOURS["muted"],
        "ytick.color": _COLOURS["muted"], "xtick.labelcolor": _COLOURS["ink"], "ytick.labelcolor": _COLOURS["ink"],
        "axes.edgecolor": _COLOURS["muted"], "axes.spines.top": False, "axes.spines.right": False,
        "grid.color": _COLOURS["grid"], "grid.linewidth": 0.8, "axes.axisbelow": True,
    }  # fmt: skip
    with mpl.rc_context(settings):
        figure = Figure(figsize=(_WIDTH, height), layout="constrained")
        yield figure, figure.subplots(rows, columns, squeeze=False)


def bars(
    name: str, title: str, described: str, labels: Sequence[str], values: Sequence[float], colours: Sequence[str],
    texts: Sequence[str], *, top: float | None = None,
) -> str:  # fmt: skip
    """Horizontal bars, the first one on top. colours: of the page. texts: at the bars' ends."""
    with _figure(name, 0.2 + 0.28 * len(labels)) as (figure, axes):
        axis = axes[0][0]
        places = list(range(len(labels)))
        axis.barh(places, values, color=[_COLOURS[each] for each in colours], height=0.66)
        axis.set_yticks(places, [_short(each) for each in labels])
        axis.set_ylim(len(labels) - 0.5, -0.5)
        axis.set_xlim(0, top or max([*values, 1e-9]) * 1.0)
        axis.tick_params(axis="y", length=0)
        axis.xaxis.set_visible(False)
        axis.spines["bottom"].set_visible(False)
        for place, value, text in zip(places, values, texts, strict=True):
            axis.annotate(
                text, (value, place), xytext=(5, 0), textcoords="offset points", va="center", annotation_clip=False
            )
        return _svg(figure, name, title, described)


def panels(name: str, title: str, described: str, days: Sequence[str], plots: Sequence[Panel], columns: int) -> str:
    """Small plots over the same days, `columns` in a row, each with its own scale from 0."""
    rows = -(-len(plots) // columns)
    with _figure(name, 0.2 + 1.75 * rows, rows, columns) as (figure, axes):
        for number, axis in enumerate(axes.flat):
            if number < len(plots):
                _line(axis, days, plots[number])
            else:
                axis.set_visible(False)
        return _svg(figure, name, title, described)


def _line(axis: Any, days: Sequence[str], panel: Panel) -> None:
    places = list(range(len(days)))
    values = [float("nan") if value is None else value for value in panel.values]
    highest = max((value for value in panel.values if value is not None), default=0)
    colour = _COLOURS[panel.colour]
    axis.plot(places, values, color=colour, marker="o", markersize=4, linewidth=1.8, clip_on=False)
    axis.set_title(_short(panel.title, 25), loc="left", fontsize=10)
    axis.set_title(panel.last, loc="right", fontsize=10, fontweight="bold")
    axis.set_ylim(0, panel.top or highest * 1.1 or 1)
    axis.set_xlim(-0.4, max(len(days) - 1, 0) + 0.4)
    axis.grid(axis="y")
    axis.tick_params(length=0)
    axis.tick_params(axis="x", pad=7)
    axis.yaxis.set_major_locator(_ticks(panel.top))
    axis.yaxis.set_major_formatter(_percent_tick if panel.percent else _number_tick)
    # First and last day: more would overlap in a small plot, and the table has all.
    shown = sorted({0, len(days) - 1})
    for label, side in zip(
        axis.set_xticks(shown, [days[place][5:] for place in shown]), ("left", "right"), strict=False
    ):
        label.label1.set_horizontalalignment(side)


def _ticks(top: float | None) -> Any:
    from matplotlib.ticker import FixedLocator, MaxNLocator

    return FixedLocator([0, top / 2, top]) if top is not None else MaxNLocator(3)


def _percent_tick(value: float, _: object) -> str:
    return f"{100 * value:.3g} %"


def _number_tick(value: float, _: object) -> str:
    return f"{value:,g}" if value < 1e6 else f"{value:,.0f}"


def number_of(value: float) -> str:
    """For people: '0', '0.04', '3.2', '1,204'."""
    if value and abs(value) < 0.1:
        return f"{value:.2g}"
    return f"{value:,.1f}".removesuffix(".0") if abs(value) < 100 else f"{value:,.0f}"


def _short(text: str, most: int = 34) -> str:
    text = legible(text)
    return text if len(text) <= most else text[: most - 1] + "…"


def _svg(figure: Any, name: str, title: str, described: str) -> str:
    """The figure as an <svg> for a page: with a name and a description for who can't see it."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'\sxmlns(:\w+)?="[^"]*"', "", text).replace("xlink:href", "href")
    # Names are of one page, and each plot has a figure_1.
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = re.sub(r'(href="|url\()#', rf"\g<1>#{name}-", text)
    # The page's own font; matplotlib's measures are of a wider one, so nothing runs into something else.
    text = re.sub(r"font-family: [^;\"]*;? ?", "", text)
    text = re.sub(r"<style.*?</style>", "", text, flags=re.DOTALL)
    for colour, drawn in _COLOURS.items():
        text = text.replace(drawn, f"var(--{colour})")
    size = re.search(r'viewBox="[^"]*"', text)
    head = (
        f'<svg {size[0] if size else ""} role="img" aria-labelledby="{name}-title {name}-described">'
        f'<title id="{name}-title">{escape(legible(title))}</title><desc id="{name}-described">{escape(legible(described))}</desc>'
    )
    return head + text[text.index(">") + 1 :].strip()


def described(values: Mapping[str, str]) -> str:
    """'a: 1; b: 2' — what a plot shows, for who can't see it."""
    return "; ".join(f"{name}: {value}" for name, value in values.items()) + "."
