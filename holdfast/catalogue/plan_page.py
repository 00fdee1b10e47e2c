"""The plan for people: an HTML page, and Markdown for Dagster's UI. No scripts, nothing from elsewhere; every text is escaped."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import polars as pl

from holdfast.catalogue.budget import USUAL, WORDS, Measures, usual
from holdfast.quality.markup import Cell, html_section, html_table, safe
from holdfast.quality.style import STYLE
from holdfast.quality.texts import in_markdown, legible

_IN_MARKDOWN = 25
_KINDS_SHOWN = 60
_WRITTEN_SHOWN = 20
# Of a value; where a longer one changes is shown with so much before it.
_LONGEST, _LEAD = 300, 40
_WORD = re.compile(r"\s*\S+|\s+$")
_WORDS = {
    "created": "that are new",
    "updated": "that change",
    "suppressed": "",
    "removed_fields": "fields that go",
    "protected": "changes of protected fields",
    "to_approve": "changes of what needs approval",
}
_ONLY_OF_RECORDS = ("removed_fields", "protected")  # a feed takes no element away, and protects none
_ONLY_OF_FULL_FEEDS = {"missing": "of them in no row of the feed", "unread": "rows that can't be read"}


class Labels(NamedTuple):
    """What the page calls things: of bibliographic records, and of a feed's rows."""

    title: str
    field: str
    fields: str
    each: str
    none: str


_OF_RECORDS = Labels("Title", "Field", "By field", "Subfields", "No live record would change.")
_OF_FEEDS = Labels("Row", "Element", "By element", "Elements", "Nothing that is there would change.")


class PlanShown(NamedTuple):
    """What a page is of.

    Attributes:
        counts: shape plan_document.COUNTS.
        surprises: shape surprises.SURPRISES.
        waiting: why it needs approval, a sentence each.
        cost: requests and time, in words.
        earlier: of the source's plans that were written.
        written: plan_sha256, written, at of the window's plans that were written before.
        ils: the library system that it is for.
        entity: of which it is; a key of budget.WORDS.
        title: of the source or feed, for people.
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
    ils: str = ""
    entity: str = "bib"
    title: str = ""


def plan_page(shown: PlanShown) -> str:
    """HTML of the page; its length is bounded, whatever the plan's is."""
    title = f"Plan: {safe(shown.source)}, {safe(shown.day)}"
    labels = _labels(shown)
    sections = [
        html_section("first", "What is to be done", _to_do(shown)),
        html_section("numbers", "In numbers", _numbers(shown)),
        html_section("surprises", "Look at these first", _surprises(shown.surprises, labels)),
        html_section("fields", labels.fields, _fields(shown, labels)),
        html_section("written", "Written before", _written(shown.written)),
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<meta name="color-scheme" content="light dark">\n'
        f'<meta name="referrer" content="no-referrer">\n<title>{title}</title>\n<style>{STYLE}{_STYLE}</style>\n</head>\n<body>\n'
        f'<main class="plan">\n<header><p class="over">{safe(shown.library)} · plan of changes</p>'
        f"<h1>{safe(shown.title or shown.source)} <span>{safe(shown.day)}</span></h1></header>\n{_cards(shown)}\n"
        + "\n".join(sections)
        + f"\n<footer><p>Plan <code>{safe(shown.plan_sha256)}</code>, signed <code>{safe(shown.signature)}</code>, for "
        f"<code>{safe(shown.ils)}</code>.</p></footer>\n</main>\n</body>\n</html>\n"
    )


# Long codes break, and values stand beside each other as wide as the screen lets them.
_STYLE = """
.plan footer code{overflow-wrap:anywhere}.plan del,.plan ins{text-decoration:none;border-radius:.2rem;padding:0 .1rem}
.plan del{background:var(--gone);box-shadow:inset 0 -2px var(--error)}.plan ins{background:var(--come);box-shadow:inset 0 -2px var(--note)}
.plan{--gone:#b3261e1f;--come:#2f6f4f24}.plan .place{white-space:nowrap}.plan [dir]{text-align:start}
@media (prefers-color-scheme:dark){.plan{--gone:#ff8a8030;--come:#7fcba230}}
.plan .cards{grid-template-columns:repeat(auto-fit,minmax(8.5rem,1fr))}
@media (min-width:46.01rem){.plan .surprises td:nth-child(2){width:20%}.plan .surprises td:nth-child(n+4):nth-child(-n+5){width:20%}}
@media (max-width:46rem){.plan .surprises thead{position:absolute;clip-path:inset(50%)}.plan .surprises tr{display:block;border-bottom:2px solid
var(--grid);padding:.5rem 0}.plan .surprises td,.plan .surprises th{display:grid;grid-template-columns:5.5rem 1fr;border:0;padding:.1rem 0;min-width:0}
.plan .surprises td::before,.plan .surprises th[data-label]::before{content:attr(data-label);color:var(--muted)}}
"""


def _labels(shown: PlanShown) -> Labels:
    return _OF_RECORDS if shown.entity == "bib" else _OF_FEEDS


def _cards(shown: PlanShown) -> str:
    """What everybody asks first."""
    words, own = WORDS[shown.entity], shown.measures
    verdict, style = ("waits", "warning") if shown.waiting else ("may be written", "note")
    if not own.changes:
        verdict, style = "nothing to do", ""
    cards = [
        (style, "The plan", verdict, ""),
        ("", f"new {words.records}", f"{own.created:,}", _was(shown, "created")),
        ("", "changed", f"{own.updated:,}", _was(shown, "updated")),
        ("warning" if own.suppressed else "", words.suppressions, f"{own.suppressed:,}", _was(shown, "suppressed")),
        ("", "came in", f"{own.came_in:,}", ""),
        *([("", "in the library system", f"{own.catalogue:,}", "")] if own.catalogue else []),
    ]
    return (
        '<dl class="cards">'
        + "".join(
            f'<div class="card{f" {style}" if style else ""}"><dt>{what}</dt><dd><b>{value}</b>{was}</dd></div>'
            for style, what, value, was in cards
        )
        + "</dl>"
    )


def _was(shown: PlanShown, name: str) -> str:
    before = [getattr(each, name) for each in shown.earlier]
    return f'<span class="was">{usual(before)[0]:,.0f} is usual</span>' if before else ""


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
    words, of_records = WORDS[shown.entity], shown.entity == "bib"
    named = {"came_in": f"{words.records} that came in", "catalogue": f"{words.records} in the library system"}
    named |= {name: what for name, what in _WORDS.items() if of_records or name not in _ONLY_OF_RECORDS}
    named |= {name: f"{words.records} {named[name]}" for name in ("created", "updated")}
    named |= {"suppressed": words.suppressed}
    if shown.measures.missing or shown.measures.unread:
        approval = named.pop("to_approve")
        named |= _ONLY_OF_FULL_FEEDS | {"to_approve": approval}
    rows = []
    for name, what in named.items():
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
    plans = "one plan" if many == 1 else f"{many} plans"
    caption = f"This plan, and the {plans} of the source that were written before" if many else "This plan"
    return html_table(caption, ("", "this plan", "usual", "most"), rows, (1, 2, 3))


def place_of(row: dict[str, Any]) -> str:
    """'245 10 $a', '008', '650 _0 indicators'."""
    if not row["code"]:
        return str(row["tag"])
    indicators = str(row["indicators"]).replace(" ", "_")
    return f"{row['tag']} {indicators} " + ("indicators" if row["code"] == "ind" else f"${row['code']}")


def _surprises(surprises: pl.DataFrame, labels: Labels) -> str:
    if not surprises.height:
        return f"<p>{labels.none}</p>"
    head = ("Record", labels.title, labels.field, "Before", "After", "Why it is here")
    rows = []
    for row in surprises.iter_rows(named=True):
        before, after = _beside(row["before"], row["after"])
        cells = (
            Cell(f"<b>{row['record']:,}</b>"),
            Cell(_own_way(safe(_cut(row["title"] or "", 80))), "words"),
            Cell(f"<b>{safe(place_of(row))}</b>", "place"),
            Cell(before, "words"),
            Cell(after, "words"),
            Cell(safe(row["reasons"] or "–"), "words"),
        )
        rows.append(tuple(replace(cell, label=name) for cell, name in zip(cells, head, strict=True)))
    many = f"{len(rows)} changes" if len(rows) > 1 else "One change"
    caption = f"{many} of what is in the library system, the most surprising first"
    return f'<div class="surprises">{html_table(caption, head, rows)}</div>'


def _own_way(html: str) -> str:
    """In the direction of its own script."""
    return f'<div dir="auto">{html}</div>'


def _beside(before: str | None, after: str | None) -> tuple[str, str]:
    """Both values as HTML, with the words marked that differ; of long ones the part that does."""
    if before is None or after is None:
        return _alone(before, "del"), _alone(after, "ins")
    old, new = _WORD.findall(before), _WORD.findall(after)
    least = min(len(old), len(new))
    start = next((n for n in range(least) if old[n] != new[n]), least)
    end = next((n for n in range(least - start) if old[-1 - n] != new[-1 - n]), least - start)
    return _marked(old, start, end, "del"), _marked(new, start, end, "ins")


def _alone(value: str | None, tag: str) -> str:
    return "–" if value is None else _own_way(f"<{tag}>{safe(_cut(value, _LONGEST))}</{tag}>")


def _marked(words: list[str], start: int, end: int, tag: str) -> str:
    same, other, rest = (
        "".join(words[:start]),
        "".join(words[start : len(words) - end]),
        "".join(words[len(words) - end :]),
    )
    blank = other[: len(other) - len(other.lstrip())]
    same, other = same + blank, other.removeprefix(blank)
    if len(same) + len(other) + len(rest) > _LONGEST:
        same = same if len(same) <= _LEAD else f"…{same[-_LEAD:]}"
        other = _cut(other, _LONGEST - 2 * _LEAD)
        rest = _cut(rest, _LEAD)
    mark = f"<{tag}>{safe(other)}</{tag}>" if other else ""
    return _own_way(f"{safe(same)}{mark}{safe(rest)}")


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _fields(shown: PlanShown, labels: Labels) -> str:
    counts, kinds = shown.counts, WORDS[shown.entity].records
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
    head = (labels.field, "Action", "Kind", labels.each, kinds.capitalize())
    return html_table(f"Changes in {kinds}, the most frequent kind first{more}", head, rows, (3, 4))


def _written(written: Sequence[dict[str, Any]]) -> str:
    if not written:
        return "<p>No plan of this window was written yet.</p>"
    rows = [
        (f"<code>{safe(each['plan_sha256'][:12])}</code>", safe(each["at"]), f"{each['written']:,}")
        for each in written[-_WRITTEN_SHOWN:]
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
    return "\n".join(lines) if surprises.height else "nothing that is there would change"


def counts_markdown(counts: pl.DataFrame) -> str:
    of_feeds = counts.filter(pl.col("entity") != "bib").height > 0
    lines = ["| action | field | kind | subfields | records |", "|---|---|---|--:|--:|"]
    if of_feeds:
        lines = ["| of | action | element | kind | elements | records |", "|---|---|---|---|--:|--:|"]
    for row in counts.head(_IN_MARKDOWN).iter_rows(named=True):
        field = row["tag"] + (" indicators" if row["code"] == "ind" else f" ${row['code']}" if row["code"] else "")
        cells = (row["action"], field, row["kind"], f"{row['subfields']:,}", f"{row['records']:,}")
        lines.append(_line(*([row["entity"]] if of_feeds else []), *cells))
    return "\n".join(lines) if counts.height else "nothing would change"


def _line(*cells: object) -> str:
    return "| " + " | ".join(in_markdown(_cut(legible(each), 120)) for each in cells) + " |"
