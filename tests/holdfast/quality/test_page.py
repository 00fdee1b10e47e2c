"""The page: whole HTML, nothing from elsewhere, every text escaped, a trend over the loads."""

from __future__ import annotations

import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import polars as pl
import pytest
from lxml import html

from holdfast.marc.validation import ISSUES
from holdfast.quality.expected import MARC21
from holdfast.quality.figures import Counting, Figures
from holdfast.quality.markup import percent, safe
from holdfast.quality.page import Load, page, summary_markdown
from holdfast.quality.plots import bars, number_of
from holdfast.quality.trend import Point, earlier_days, point_of_figures, top_codes
from resources.lake.client import Lake
from resources.lake.quality import points_before, report_window
from tests.quality_loads import put_load
from tests.records import book

LOAD = Load("The library", "E-books")
HOSTILE = "<script>alert('1')</script>\"&\u202e"
VOID = {"meta", "link", "br", "wbr", "img", "hr", "input"}


class Balanced(HTMLParser):
    """Fails where an element is not closed in its turn."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: Counter[str] = Counter()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.seen[tag] += 1
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        self.seen[tag] += 1

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag, (tag, self.getpos())


def balanced(text: str) -> Counter[str]:
    parser = Balanced()
    parser.feed(text)
    parser.close()
    assert parser.open == []
    return parser.seen


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def three_loads(lake: Lake) -> tuple[Figures, list[Point]]:
    """Of 4, 4 and 4 records, in which 0, 1 and 4 have a control character and 4, 4 and 1 an ISBN."""
    for number, (bad, with_isbn) in enumerate(((0, 4), (1, 4), (4, 1))):
        records = [
            book(str(n), "Bleak\thouse" if n < bad else "Bleak house", fields=(("020", "a", "9780306406157"),) * (n < with_isbn))
            for n in range(4)
        ]  # fmt: skip
        day = f"2026-01-0{number + 1}"
        put_load(lake, day, {"a.mrc": b"".join(records) + b"00050nonsense\x1d" * (number == 2)})
        last = report_window(lake, "ebooks", day, MARC21)
    return last


def hostile() -> Figures:
    """All texts that come from records and files are hostile."""
    counting = Counting(MARC21)
    token = "pii:" + "ab" * 32
    row = {"file": HOSTILE, "record": 7, "claims": HOSTILE, "found": HOSTILE, "encoding": HOSTILE, "fault": None}
    bad = row | {"record": 8, "fault": HOSTILE, "fault_byte": 3, "fault_detail": HOSTILE + token, "encoding": None}
    types = {"record": pl.UInt32, "fault": pl.String, "fault_byte": pl.UInt64, "fault_detail": pl.String}
    counting.add_index(pl.DataFrame([{**row, "fault_byte": None, "fault_detail": None}, bad], schema_overrides=types))
    one = pl.DataFrame({"record": [7], "material_type": [HOSTILE]}, schema_overrides={"record": pl.UInt32})
    no_subfields = {"record": pl.UInt32, "tag": pl.String, "code": pl.String, "value": pl.String}
    counting.add_records(one, pl.DataFrame(schema=no_subfields))
    texts = dict.fromkeys(("code", "tag", "subfield", "message", "hint"), HOSTILE)
    issue = {"record": 7, "severity": "error", "value": HOSTILE + token, **texts}
    counting.add_issues(pl.DataFrame([issue], schema=ISSUES))
    counting.add_stopped(pl.DataFrame({"record": [7], "code": [HOSTILE]}))
    shown = pl.DataFrame(
        {"record": [7], "file": [HOSTILE], "control_number": [HOSTILE], "title": [HOSTILE + token]},
        schema_overrides={"record": pl.UInt32},
    )
    return counting.figures("ebooks", "2026-01-05", shown)


def test_the_page_is_whole_and_every_plot_and_table_says_what_it_is(lake: Lake) -> None:
    figures, earlier = three_loads(lake)
    text = page(LOAD, figures, earlier, MARC21)
    seen = balanced(text)
    assert seen["svg"] == seen["figure"] == 7 and seen["table"] == seen["caption"] >= 8
    tree = html.document_fromstring(text)
    assert tree.get("lang") == "en" and tree.findtext(".//title").startswith("Quality report: E-books, 2026-01-03")
    ids = [each.get("id") for each in tree.iter() if each.get("id")]
    assert len(ids) == len(set(ids))
    for svg in tree.iter("svg"):
        name, described = svg.get("aria-labelledby").split()
        assert svg.get("role") == "img" and tree.get_element_by_id(name).text
        assert len(tree.get_element_by_id(described).text) > 10
    assert all(each.get("scope") for each in tree.iter("th"))
    links = [each.get("href") for each in tree.iter("a", "use") if each.get("href")]
    assert links and all(link[0] == "#" and link[1:] in ids for link in links)


def test_the_page_needs_nothing_from_elsewhere_and_runs_nothing(lake: Lake) -> None:
    text = page(LOAD, *three_loads(lake), MARC21)
    assert "http:" not in text and "https:" not in text and "@import" not in text and "<script" not in text
    assert set(re.findall(r"url\((.)", text)) <= {"#"}
    tree = html.document_fromstring(text)
    assert not list(tree.iter("script", "link", "img", "iframe", "object", "embed", "form"))
    assert not [name for each in tree.iter() for name in each.attrib if name == "src" or name.startswith("on")]


def test_hostile_texts_are_text() -> None:
    figures = hostile()
    for earlier in ([], [point_of_figures(figures)]):
        text = page(Load(HOSTILE, HOSTILE, HOSTILE, HOSTILE), figures, earlier, MARC21)
        balanced(text)
        tree = html.document_fromstring(text)
        assert not list(tree.iter("script"))
        assert text.count("&lt;script&gt;") > 15 and "<script" not in text and "\u202e" not in text
        assert "alert('1')" in tree.text_content()


def test_masked_values_never_show() -> None:
    text = page(LOAD, hostile(), [], MARC21)
    assert "pii:…" in text and not re.search("pii:[0-9a-f]", text)
    assert safe("x pii:" + "ab" * 32) == "x pii:…"


def test_the_trend_reads_the_figures_of_three_loads_and_no_records(lake: Lake) -> None:
    figures, earlier = three_loads(lake)
    for asset in ("harvested_marc", "normalized_records", "record_issues"):
        (lake.root / asset).rename(lake.root / f"{asset}-gone")
    assert points_before(lake, "ebooks", "2026-01-03") == earlier
    points = [*earlier, point_of_figures(figures)]
    assert [point.day for point in points] == ["2026-01-01", "2026-01-02", "2026-01-03"]
    code = "value.control_character"
    assert [point.per_thousand(point.codes.get(code, 0)) for point in points] == [0, 250, 1000]
    assert [point.completeness["isbn"] for point in points] == [1, 1, 0.25]
    assert [point.rejected_share for point in points] == [0, 0, 0.2]
    assert [point.errors_share for point in points][-1] == 1
    assert top_codes(points)[0] in points[-1].codes


def test_the_page_says_what_is_unlike_the_loads_before(lake: Lake) -> None:
    figures, earlier = three_loads(lake)
    tree = html.document_fromstring(page(LOAD, figures, earlier, MARC21))
    (first,) = tree.find_class("first")
    said = " ".join(first.text_content().split())
    assert "value.control_character rose to 1,000 a thousand records; 125 is usual." in said
    assert "ISBN (020 $a) is in 25 % of the records that should have it; 100 % is usual" in said
    assert "1 record could not be read and is in quarantine" in said
    trend = tree.get_element_by_id("trend").getparent()
    days = [cell.text_content() for cell in trend.xpath(".//table[1]//tbody//th")]
    assert days[:3] == ["2026-01-03", "2026-01-02", "2026-01-01"]


def test_other_sources_later_days_and_empty_loads_are_no_part_of_the_trend(lake: Lake) -> None:
    put_load(lake, "2026-01-01", {"a.mrc": book("1")}, source="other")
    report_window(lake, "other", "2026-01-01", MARC21)
    for day, files in (("2026-01-02", {"a.mrc": book("1")}), ("2026-01-03", {}), ("2026-01-09", {"a.mrc": book("1")})):
        if files:
            put_load(lake, day, files)
        else:
            _put_nothing(lake, day)
        report_window(lake, "ebooks", day, MARC21)
    assert [point.day for point in points_before(lake, "ebooks", "2026-01-05")] == ["2026-01-02"]
    assert earlier_days(["2026-01-09", "2026-01-02", "2026-01-04"], "2026-01-05") == ["2026-01-04", "2026-01-02"]


def _put_nothing(lake: Lake, day: str) -> None:
    tables = {
        "harvested_marc": ["rows"],
        "normalized_records": ["rows", "subfields"],
        "record_issues": ["rows", "stopped"],
    }
    for asset, names in tables.items():
        with lake.replace(asset, f"{day}|ebooks") as writer:
            for name in names:
                frame = lake.read(asset, "2026-01-02|ebooks", name).clear()
                writer.write(name, frame)


def test_a_load_of_nothing_has_a_page_that_says_so() -> None:
    figures = Counting(MARC21).figures("ebooks", "2026-01-05", pl.DataFrame(schema={"record": pl.UInt32}))
    text = page(LOAD, figures, [], MARC21)
    balanced(text)
    assert "Nothing came in" in text
    assert "0 records came in" in summary_markdown(figures, "x")


def test_a_label_is_no_formula_and_leads_nowhere() -> None:
    svg = bars("a", "T", "d", ["$x_1$ <b>", "local.$"], [1, 2], ["error", "note"], ["1", "2"])
    tree = html.fragment_fromstring(svg)
    assert "$x_1$ <b>" in tree.text_content() and "local.$" in tree.text_content()
    assert not re.search(r"#[0-9a-f]{6}", svg), "a colour that is not the page's"


def test_figures_are_said_as_people_read_them() -> None:
    said = [percent(each) for each in (None, 0, 1, 0.9999, 0.0001, 0.05, 0.5, 0.954)]
    assert said == ["–", "0 %", "100 %", "&gt; 99.9 %", "&lt; 0.1 %", "5.0 %", "50 %", "95.4 %"]
    assert [number_of(each) for each in (0, 0.04, 3.25, 12, 1204.4)] == ["0", "0.04", "3.2", "12", "1,204"]
