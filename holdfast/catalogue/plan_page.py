"""The plan for people: an HTML page, and Markdown for Dagster's UI. No scripts, nothing from elsewhere; every text is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import polars as pl

from holdfast.catalogue.budget import USUAL, Measures, usual
from holdfast.quality.markup import Cell, html_section, html_table, safe
from holdfast.quality.style import STYLE

_IN_MARKDOWN = 25
_KINDS_SHOWN = 60
_WORDS = {
    "came_in": "records came in",
    "catalogue": "records of the live catalogue",
    "created": "new records",
    "updated": "records that change",
    "suppressed": "records that are hidden",
    "removed_fields": "fields that go",
    "protected": "changes of protected fields",
    "to_approve": "changes of fields that need approval",
}


class PlanShown(NamedTuple):
    """What a page is of.

    Attributes:
        counts: shape plan_document.COUNTS.
        surprises: shape surprises.SURPRISES.
        waiting: why it needs approval, a sentence each.
        cost: requests and time, in words.
        earlier: of the source's plans that were written.
        written: plan_sha256, written, at of the window's plans that were written before.
    """

    library: str
    source: str
    day: str
    plan_sha256: str
    signature: str
    measures: Measures
    counts: pl.DataFrame
    surprises: pl.DataFrame
    waiting: Sequence[str]
    cost: str
    earlier: Sequence[Measures]
    written: Sequence[dict[str, Any]]


def plan_page(shown: PlanShown) -> str:
    """HTML of the page."""
    title = f"Plan: {safe(shown.source)}, {safe(shown.day)}"
    sections = [
        html_section("first", "What is to be done", _to_do(shown)),
        html_section("numbers", "In numbers", _numbers(shown)),
        html_section("surprises", "Look at these first", _surprises(shown.surprises)),
        html_section("fields", "By field", _fields(shown.counts)),
        html_section("written", "Written before", _written(shown.written)),
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<meta name="color-scheme" content="light dark">\n'
        f'<meta name="referrer" content="no-referrer">\n<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n'
        f'<header><p class="over">{safe(shown.library)} · plan of changes</p><h1>{safe(shown.source)} <span>{safe(shown.day)}</span>'
        "</h1></header>\n" + "\n".join(sections) + f"\n<footer><p>Plan <code>{safe(shown.plan_sha256)}</code>, signed "
        f"<code>{safe(shown.signature)}</code>.</p></footer>\n</main>\n</body>\n</html>\n"
    )


def _to_do(shown: PlanShown) -> str:
    if not shown.measures.changes:
        return "<p>Nothing would change.</p>"
    said = [f"Writing it asks for {safe(shown.cost)}."]
    if shown.waiting:
        said += [f"It waits for approval: {safe(each)}." for each in shown.waiting]
        said.append(
            f"To decide: job <code>approve_plan</code>, source <code>{safe(shown.source)}</code>, day <code>{safe(shown.day)}</code>, "
            f"plan <code>{safe(shown.plan_sha256[:12])}</code>."
        )
    else:
        said.append("It needs no approval.")
    return '<ul class="first">' + "".join(f"<li>{each}</li>" for each in said) + "</ul>"


def _numbers(shown: PlanShown) -> str:
    rows = []
    for name, what in _WORDS.items():
        before = [getattr(each, name) for each in shown.earlier]
        known = bool(before) and name in USUAL
        rows.append(
            (
                what,
                f"{getattr(shown.measures, name):,}",
                f"{usual(before)[0]:,.0f}" if known else "–",
                f"{max(before):,}" if known else "–",
            )
        )
    many = len(shown.earlier)
    caption = f"This plan, and the {many} of the source that were written before" if many else "This plan"
    return html_table(caption, ("", "this plan", "usual", "most"), rows, (1, 2, 3))


def place_of(row: dict[str, Any]) -> str:
    """'245 10 $a', '008', '650 _0 indicators'."""
    if not row["code"]:
        return str(row["tag"])
    indicators = str(row["indicators"]).replace(" ", "_")
    return f"{row['tag']} {indicators} " + ("indicators" if row["code"] == "ind" else f"${row['code']}")


def _surprises(surprises: pl.DataFrame) -> str:
    if not surprises.height:
        return "<p>No live record would change.</p>"
    rows = [
        (
            f"<b>{row['record']:,}</b>",
            Cell(safe((row["title"] or "")[:80]), "words"),
            f"<b>{safe(place_of(row))}</b>",
            Cell(safe(row["before"]) if row["before"] is not None else "–", "words"),
            Cell(safe(row["after"]) if row["after"] is not None else "–", "words"),
            Cell(safe(row["reasons"]), "words"),
        )
        for row in surprises.iter_rows(named=True)
    ]
    head = ("Record", "Title", "Field", "Before", "After", "Why it is here")
    return html_table(f"The {len(rows)} most surprising changes of live records", head, rows)


def _fields(counts: pl.DataFrame) -> str:
    if not counts.height:
        return "<p>None.</p>"
    rows = [
        (
            f"<b>{safe(row['tag'])}</b>"
            + (f" ${safe(row['code'])}" if row["code"] not in ("", "ind") else "")
            + (" indicators" if row["code"] == "ind" else ""),
            safe(row["action"]),
            safe(row["kind"]),
            f"{row['subfields']:,}",
            f"{row['records']:,}",
        )
        for row in counts.head(_KINDS_SHOWN).iter_rows(named=True)
    ]
    more = f"; {counts.height - _KINDS_SHOWN} kinds more in the table counts" if counts.height > _KINDS_SHOWN else ""
    return html_table(f"Changes by field{more}", ("Field", "Action", "Kind", "Subfields", "Records"), rows, (3, 4))


def _written(written: Sequence[dict[str, Any]]) -> str:
    if not written:
        return "<p>No plan of this window was written yet.</p>"
    rows = [
        (f"<code>{safe(each['plan_sha256'][:12])}</code>", safe(each["at"]), f"{each['written']:,}") for each in written
    ]
    return html_table("Plans of this window that were written", ("Plan", "When (UTC)", "Changes"), rows, (2,))


# ---- Markdown ---------------------------------------------------------------------------------------------------------


def surprises_markdown(surprises: pl.DataFrame) -> str:
    lines = ["| record | field | before | after | why it is here |", "|---|---|---|---|---|"]
    lines += [
        _line(row["record"], place_of(row), row["before"], row["after"], row["reasons"])
        for row in surprises.head(_IN_MARKDOWN).iter_rows(named=True)
    ]
    more = surprises.height - _IN_MARKDOWN
    if more > 0:
        lines += ["", f"{more} more on the page of the plan, and in the table `surprises`."]
    return "\n".join(lines) if surprises.height else "no live record would change"


def counts_markdown(counts: pl.DataFrame) -> str:
    lines = ["| action | field | kind | subfields | records |", "|---|---|---|--:|--:|"]
    for row in counts.head(_IN_MARKDOWN).iter_rows(named=True):
        field = row["tag"] + (" indicators" if row["code"] == "ind" else f" ${row['code']}" if row["code"] else "")
        lines.append(_line(row["action"], field, row["kind"], f"{row['subfields']:,}", f"{row['records']:,}"))
    return "\n".join(lines) if counts.height else "nothing would change"


def _line(*cells: object) -> str:
    texts = ("" if each is None else str(each) for each in cells)
    return "| " + " | ".join(each.replace("|", "\\|").replace("\n", " ")[:120] for each in texts) + " |"
