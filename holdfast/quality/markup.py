"""Pieces of a report's HTML: every text is escaped, every table has a caption and names its rows and columns."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from holdfast.quality.plots import number_of
from holdfast.quality.texts import legible

# Severities of validation, as people read them.
SEVERITY_NAMES = {"error": "error", "warning": "warning", "info": "note"}


def safe(value: object) -> str:
    """`legible`, and escaped for HTML."""
    return escape(legible(value))


def breakable(code: str) -> str:
    """A code as HTML that may be broken into lines at its dots and underlines."""
    return safe(code).replace(".", ".<wbr>").replace("_", "_<wbr>")


def identifier(*parts: str) -> str:
    return "-".join(re.sub(r"[^a-z0-9]+", "-", part.lower()).strip("-") for part in parts)


def html_section(name: str, title: str, content: str) -> str:
    return f'<section aria-labelledby="{name}">\n<h2 id="{name}">{title}</h2>\n{content}\n</section>'


@dataclass(frozen=True)
class Cell:
    """html: escaped. style: class names. heat: 0 to 1, a bar in the cell's back. label: the column's name, for narrow screens."""

    html: str
    style: str = ""
    heat: float | None = None
    label: str = ""


def html_table(
    caption: str, head: Sequence[str], rows: Iterable[Sequence[Cell | str]], numbers: Sequence[int] = ()
) -> str:
    """A table whose first column names its rows. numbers: columns that are set to the right. Cells that are str are HTML."""
    heads = "".join(
        f'<th scope="col"{" class=number" if n in numbers else ""}>{each}</th>' for n, each in enumerate(head)
    )
    out = [f'<div class="wide"><table>\n<caption>{caption}</caption>\n<thead><tr>{heads}</tr></thead>\n<tbody>']
    for row in rows:
        cells = []
        for n, each in enumerate(row):
            cell = each if isinstance(each, Cell) else Cell(each)
            style = " ".join(
                filter(None, ("number" if n in numbers else "", cell.style, "heat" if cell.heat is not None else ""))
            )
            marks = (f' class="{style}"' if style else "") + (
                f' style="--heat:{cell.heat * 100:.0f}%"' if cell.heat is not None else ""
            )
            marks += f' data-label="{cell.label}"' if cell.label else ""
            cells.append(f'<th scope="row"{marks}>{cell.html}</th>' if n == 0 else f"<td{marks}>{cell.html}</td>")
        out.append(f"<tr>{''.join(cells)}</tr>")
    return "\n".join([*out, "</tbody></table></div>"])


def html_figure(svg: str, caption: str) -> str:
    return f"<figure>{svg}<figcaption>{caption}</figcaption></figure>"


def percent(share: float | None) -> str:
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


def plain(text: str) -> str:
    return text.replace("&lt;", "<").replace("&gt;", ">")


def thousand(value: float | None) -> str:
    return "–" if value is None else number_of(value)


def records_of(count: int) -> str:
    return f"{count:,} record{'' if count == 1 else 's'}"


def badge(severity: str) -> str:
    name = SEVERITY_NAMES.get(severity, severity)
    return f'<span class="badge {safe(name)}">{safe(name)}</span>'
