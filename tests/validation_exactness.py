"""The tables of docs/validation-exactness.md: what the cataloguers reported, and what the validator finds.

`PYTHONPATH=. python -m tests.validation_exactness` prints them.
"""

from __future__ import annotations

import gzip
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from holdfast.marc.blocks import Block
from holdfast.marc.iso2709 import read_columns
from holdfast.marc.validation import Rules, load_rules, validate
from holdfast.settings import parse_settings

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "validation-exactness.md"
BATCHES = ("NNC_20140805", "NNU_20140527")
MISSING_KEY, UNLINKED = "local.key_field_without_880", "link.unlinked"
ERROR_880 = {"local.no_880", MISSING_KEY, UNLINKED}
ERROR_SERIES = {"local.series_untraced", "local.series_heading_missing"}
MISC = {
    "local.one_999", "local.cataloging_source", "local.partner", "link.absent", "value.replacement_character",
    "local.call_number", "local.other_format",
}  # fmt: skip
# The list in the reports of 2015 has no call number yet, and the other format is that of the original.
MISC_REPORTED = MISC - {"local.call_number", "local.other_format"}
# Of these codes only those in the fields that the cataloguers mean.
MISC_IN = {("field.missing", "245"), ("field.repeated", "245"), ("subfield.repeated", "880")}


@dataclass(frozen=True)
class Load:
    """Records of a file. issues: shape ISSUES with `id`. ids: record → institution and number, as 'NNC_1682378'."""

    ids: dict[int, str]
    issues: pl.DataFrame
    subfields: pl.DataFrame

    def with_codes(self, codes: set[str]) -> set[str]:
        found = pl.col("code").is_in(list(codes))
        if codes & MISC:
            for code, tag in MISC_IN:
                found |= (pl.col("code") == code) & (pl.col("tag") == tag)
        return set(self.issues.filter(found)["id"])


def rules_of_page() -> Rules:
    (snippet,) = re.findall(r"```toml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    settings = parse_settings('[library]\nname = "ACO"\n[sources.aco]\n' + snippet)
    return load_rules(local=settings.validation.rules, source="aco")


def load(path: Path, rules: Rules) -> Load:
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    frames = read_columns(Block(data, 0, True))
    sub = frames.subfields
    of_999 = sub.filter((pl.col("tag") == "999") & (pl.col("code") == "i"))
    number, org = (
        sub.filter(pl.col("tag") == tag).group_by("record").agg(pl.col("value").first()) for tag in ("001", "003")
    )
    ids = {r: v.strip() for r, v in of_999.select("record", "value").iter_rows()}
    for record, own, institution in number.join(org, on="record", suffix="_org").iter_rows():
        ids.setdefault(record, f"{institution.strip()}_{own.strip()}")
    issues = validate(frames, rules)
    return Load(
        ids,
        issues.with_columns(pl.col("record").replace_strict(ids, default="", return_dtype=pl.String).alias("id")),
        sub,
    )


def reported(text: str) -> dict[str, tuple[set[str], list[tuple[str, str]]]]:
    """Of a report: id → (classes, key fields without 880 as tag and value)."""
    found: dict[str, tuple[set[str], list[tuple[str, str]]]] = {}
    for section in re.split(r"^-{20,}$", text, flags=re.MULTILINE):
        own = re.search(r"^Institution ID: (\S+)", section, re.MULTILINE)
        if not own:
            continue
        classes, fields = found.setdefault(own[1], (set(), []))
        if "880 script fields: NO" in section:
            classes.add("no 880")
        keys = re.search(r"^ERROR-880: Key fields missing[^\n]*\n((?:   \d{3} - [^\n]*\n)*)", section, re.MULTILINE)
        if keys:
            classes.add("missing key 880")
            fields += re.findall(r"^   (\d{3}) - (.*?)\s*$", keys[1], re.MULTILINE)
        classes |= {"unlinked 880"} if "Unlinked 880s: YES" in section else set()
        classes |= {"series"} if "ERROR-SERIES" in section else set()
        classes |= {"misc"} if "ERROR-MISC" in section else set()
    return found


def row(name: str, said: set[Any], found: set[Any]) -> str:
    return f"| {name} | {len(said):,} | {len(said & found):,} | {len(said - found):,} | {len(found - said):,} |"


HEAD = ["| class | reported | found | missed | extra |", "|---|--:|--:|--:|--:|"]


def batch_table(data: Path, rules: Rules) -> str:
    """The two batches: the reports against the validation of the same records."""
    lines = list(HEAD)
    classes: dict[str, tuple[set[str], set[str]]] = {}
    fields_said: set[tuple[str, str, str]] = set()
    fields_found: set[tuple[str, str, str]] = set()
    for batch in BATCHES:
        folder = data / "marc" / "aco-batches" / batch
        report = reported((folder / f"{batch}_3_all_recs_analysis.txt").read_text())
        loads = [load(folder / f"{batch}_3_{part}.mrc", rules) for part in ("errors_all", "final_recs")]
        by_class = {
            "no 880": {"local.no_880"}, "missing key 880": {MISSING_KEY}, "unlinked 880": {UNLINKED}, "series": ERROR_SERIES,
            "misc": MISC_REPORTED,
        }  # fmt: skip
        for name, codes in by_class.items():
            said, found = classes.setdefault(name, (set(), set()))
            said |= {own for own, (of, _) in report.items() if name in of}
            for each in loads:
                found |= each.with_codes(codes)
        for own, (_, keys) in report.items():
            fields_said |= {(own, tag, squeezed(value)) for tag, value in keys}
        for each in loads:
            fields_found |= key_fields(each)
    counted: dict[str, tuple[set[Any], set[Any]]] = {
        **classes,
        "missing key 880, each field": (fields_said, fields_found),
    }
    lines += [row(name, said, found) for name, (said, found) in counted.items()]
    return "\n".join(lines)


def squeezed(value: str) -> str:
    return re.sub(r"\W+", "", value)


def key_fields(of: Load) -> set[tuple[str, str, str]]:
    issues = of.issues.filter(pl.col("code") == MISSING_KEY).select("id", "record", "field", "tag")
    values = of.subfields.group_by("record", "field", maintain_order=True).agg(pl.col("value").str.join(" "))
    rows = issues.join(values, on=["record", "field"]).select("id", "tag", "value").iter_rows()
    return {(own, tag, squeezed(value)) for own, tag, value in rows}


def latest_table(data: Path, rules: Rules) -> str:
    """999 $e of aco-latest against the validation of these records, and of the earlier versions of the same ones."""
    latest = load(data / "marc" / "aco" / "aco-latest.mrc.gz", rules)
    earlier = [load(data / "marc" / "aco" / f"aco-{name}.mrc.gz", rules) for name in ("orig", "intermediate")]
    marks = latest.subfields.filter((pl.col("tag") == "999") & (pl.col("code") == "e")).select("record", "value")
    marked = {latest.ids[record]: value for record, value in marks.iter_rows()}
    passed = {own for own, value in marked.items() if value.upper() == "OK"}
    lines = [
        "| class | marked | found now | found earlier only | missed | extra | of these marked `OK` | of these marked otherwise |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    # The newest version has an 006 and 007 that the conversion made: that an original had one is seen in it alone.
    classes = (
        ("ERROR-880", ERROR_880, ERROR_880, earlier),
        ("ERROR-SERIES", ERROR_SERIES, ERROR_SERIES, earlier),
        ("ERROR-MISC", MISC - {"local.other_format"}, MISC, earlier[:1]),
    )
    for name, codes, codes_before, versions in classes:
        said = {own for own, value in marked.items() if name in value}
        now = latest.with_codes(codes)
        before = set().union(*(each.with_codes(codes_before) for each in versions))
        extra = now - said
        numbers = [
            len(said), len(said & now), len((said & before) - now), len(said - now - before), len(extra), len(extra & passed),
            len(extra & marked.keys() - passed),
        ]  # fmt: skip
        lines.append(f"| {name} | " + " | ".join(f"{n:,}" for n in numbers) + " |")
    return "\n".join(lines)


def main() -> None:
    data = (ROOT / os.environ.get("HOLDFAST_TEST_DATA", "../shared/data")).resolve()
    rules = rules_of_page()
    print(batch_table(data, rules), latest_table(data, rules), sep="\n\n")


if __name__ == "__main__":
    main()
