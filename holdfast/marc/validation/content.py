"""Checks of values, and of what belongs together in a record. MARC 21 Bibliographic and Authority."""

from __future__ import annotations

import numpy as np
import polars as pl

from holdfast.marc.validation.findings import Findings
from holdfast.marc.validation.rows import CHARACTERS, NONE, TAGS, Ints, Rows
from holdfast.marc.validation.tables import Bundle, Tables, Verdict, bundle
from holdfast.marc.validation.values import LANGUAGES, check_ean, check_ismn, check_upc

# One pass over all values finds those that have something; what it is, is asked of these only. U+0098 and U+009C are MARC's
# non-sorting marks, U+200C and U+200D its joiners.
_CONTROL = r"[\x00-\x1f\x7f-\x{97}\x{99}-\x{9b}\x{9d}-\x{9f}]"
_ODD = rf"^ | $|{_CONTROL}|\x{{fffd}}"
_MAIN = (100, 110, 111, 130)


def check_characters(rows: Rows, findings: Findings) -> None:
    value = rows.subfields["value"]
    places = value.str.contains(_ODD).fill_null(False).arg_true().to_numpy().astype(np.int64)
    if not len(places):
        return
    found = value.gather(places)
    for code, pattern in (("value.control_character", _CONTROL), ("value.replacement_character", "\ufffd")):
        position = found.str.find(pattern).to_numpy(allow_copy=True)
        hit = np.flatnonzero(found.str.contains(pattern).to_numpy())
        if len(hit):
            # Polars counts bytes, people characters.
            before = found.gather(hit).str.slice(0)
            at = [len(text.encode()[: int(byte)].decode(errors="ignore")) for text, byte in zip(before, position[hit], strict=True)]
            findings.at_rows(code, places[hit], position=at)
    # Blanks are positions in control fields and in an LCCN.
    tag = rows.tag[rows.field[places]]
    text = (rows.code[places] != NONE) & (tag >= 10) & ~((tag == 10) & np.isin(rows.code[places], [ord("a"), ord("b"), ord("z")]))
    blank = (found.str.starts_with(" ") | found.str.ends_with(" ")).to_numpy() & text
    findings.at_rows("value.blank", places[blank])


def check_values(rows: Rows, tables: Tables, findings: Findings) -> None:
    """The checks of each subfield's values, by distinct values."""
    numbers = tables.check[rows.shape[rows.field] * CHARACTERS + rows.code]
    places = np.flatnonzero(numbers)
    if tables.kind != "unimarc" and len(places):
        # 041 with second indicator 7: codes of another list, which $2 names.
        field = rows.field[places]
        other = (rows.shape[field] == 41) & (rows.ind2[field] == ord("7")) & (rows.code[places] != ord("2"))
        places = places[~other]
    if not len(places):
        return
    order = places[np.argsort(numbers[places], kind="stable")]
    kinds, starts = np.unique(numbers[order], return_index=True)
    values = rows.values(order)
    for kind, start, end in zip(kinds.tolist(), starts, np.append(starts[1:], len(order)), strict=True):
        judge_values(tables.bundles[kind], order[start:end], values[int(start) : int(end)], findings)


def judge_values(checks: Bundle, places: Ints, values: pl.Series, findings: Findings) -> None:
    """Issues of the subfields at `places`, whose values are `values`."""
    wrong = {}
    for value in values.unique().to_list():
        # What is empty is a finding of its own.
        if value and (verdicts := checks.judge(value)):
            wrong[value] = verdicts
    if not wrong:
        return
    hit = np.flatnonzero(values.is_in(list(wrong)).fill_null(False).to_numpy())
    found: dict[str, list[tuple[int, Verdict]]] = {}
    for place, value in zip(places[hit].tolist(), values.gather(hit).to_list(), strict=True):
        for verdict in wrong[value]:
            found.setdefault(verdict.code, []).append((place, verdict))
    for code, each in found.items():
        findings.at_rows(
            code,
            np.array([place for place, _ in each]),
            position=pl.Series([v.position if v.position >= 0 else None for _, v in each], dtype=pl.UInt32),
            detail=pl.Series([v.detail for _, v in each], dtype=pl.String),
            rule=pl.Series([v.rule for _, v in each], dtype=pl.String),
        )


_STANDARD_NUMBERS = {ord("1"): bundle((check_upc,)), ord("2"): bundle((check_ismn,)), ord("3"): bundle((check_ean,))}


def check_record(rows: Rows, tables: Tables, findings: Findings) -> None:
    if tables.kind == "bibliographic":
        _standard_numbers(rows, findings)
        _main_entry(rows, findings)
        _nonfiling(rows, findings)
        _publication(rows, findings)
        _language(rows, findings)
    if tables.kind == "authority":
        headings = rows.counts[:, 100:200].sum(axis=1)
        findings.at_records("heading.missing", np.flatnonzero(headings == 0), tag="1XX")
        findings.at_records("heading.main_entry", np.flatnonzero(headings > 1), tag="1XX")
    if tables.kind in ("bibliographic", "authority"):
        _subject_source(rows, tables, findings)


def _standard_numbers(rows: Rows, findings: Findings) -> None:
    places = rows.rows_of(24, "a")
    kinds = rows.ind1[rows.field[places]]
    for kind, checks in _STANDARD_NUMBERS.items():
        chosen = places[kinds == kind]
        if len(chosen):
            judge_values(checks, chosen, rows.values(chosen), findings)


def _main_entry(rows: Rows, findings: Findings) -> None:
    mains = rows.counts[:, list(_MAIN)].sum(axis=1)
    fields = rows.of_tag(*_MAIN)
    again = np.concatenate(([False], rows.of[fields][1:] == rows.of[fields][:-1])) if len(fields) else np.zeros(0, bool)
    findings.at_fields("heading.main_entry", fields[again])
    titles = rows.of_tag(245)
    has = mains[rows.of[titles]] > 0
    missing = titles[has & (rows.ind1[titles] == ord("0"))]
    findings.at_fields("title.added_entry", missing, found="0", detail="there is a main entry, and the first indicator is 0")
    needless = titles[~has & (rows.ind1[titles] == ord("1"))]
    findings.at_fields("title.added_entry", needless, found="1", detail="there is no main entry, and the first indicator is 1")


# Initial articles by language (MARC 21, Appendix F), those that are an article and nothing else with what follows them.
_ARTICLES = {
    "eng": ("the ", "a ", "an "), "fre": ("le ", "la ", "les ", "l'", "l’", "un ", "une "),
    "ger": ("der ", "die ", "das ", "ein ", "eine "), "spa": ("el ", "la ", "los ", "las ", "un ", "una "),
    "ita": ("il ", "lo ", "la ", "i ", "gli ", "le ", "l'", "l’", "un ", "uno ", "una "), "por": ("o ", "a ", "os ", "as ", "um ", "uma "),
    "dut": ("de ", "het ", "een "), "swe": ("den ", "det ", "en ", "ett "), "dan": ("den ", "det ", "en ", "et "),
    "nor": ("den ", "det ", "en ", "et ", "ei "), "hun": ("a ", "az ", "egy "), "ara": ("al-",),
}  # fmt: skip
_NONFILING = {222: 2, 240: 2, 242: 2, 243: 2, 245: 2, 440: 2, 830: 2, 130: 1, 630: 1, 730: 1, 740: 1}


def _nonfiling(rows: Rows, findings: Findings) -> None:
    """The count ends where a word begins; and 245 counts its article."""
    fields, places = rows.first_of(rows.of_tag(*_NONFILING), "a")
    if not len(fields):
        return
    second = np.isin(rows.tag[fields], [tag for tag, which in _NONFILING.items() if which == 2])
    count = np.where(second, rows.ind2[fields], rows.ind1[fields]).astype(np.int64) - ord("0")
    counts_some = (count >= 1) & (count <= 9)
    # Sorting counts characters without the marks that go over or under a letter.
    text = rows.values(places[counts_some])
    n = pl.Series(count[counts_some])
    frame = pl.DataFrame({"text": text.str.normalize("NFC"), "n": n}).with_columns(
        pl.col("text").str.slice(pl.col("n") - 1, 1).alias("last"), pl.col("text").str.slice(pl.col("n"), 1).alias("next")
    )
    marks = r"^[\p{L}\p{N}\p{M}]$"
    cut = (
        frame.select(
            (pl.col("last").str.contains(marks) & pl.col("next").str.contains(marks)) | (pl.col("next").fill_null("") == "")
        )
        .to_series()
        .fill_null(False)
        .to_numpy()
    )
    findings.at_rows(
        "title.nonfiling", places[counts_some][cut], whole=True, detail="the count of nonfiling characters ends inside a word, or behind the title"
    )  # fmt: skip
    _articles(rows, fields, places, count, findings)


def _articles(rows: Rows, fields: Ints, places: Ints, count: Ints, findings: Findings) -> None:
    zero = (count == 0) & (rows.tag[fields] == 245)
    chosen, of = places[zero], rows.of[fields[zero]]
    languages = _language_of(rows).gather(of)
    titles = rows.values(chosen).str.slice(0, 5).str.to_lowercase()
    for language, articles in _ARTICLES.items():
        here = (languages == language).fill_null(False)
        if not here.any():
            continue
        begins = pl.Series([False]).extend_constant(False, titles.len() - 1)
        for article in articles:
            begins |= titles.str.starts_with(article)
        hit = np.flatnonzero((begins & here).fill_null(False).to_numpy())
        findings.at_rows(
            "title.nonfiling", chosen[hit], whole=True, detail=f"the second indicator is 0, and the title begins with an article ({language})"
        )  # fmt: skip


def _language_of(rows: Rows) -> pl.Series:
    """008/35-37 a record; null where there is none."""
    places = rows.rows_of(8)
    of, index = np.unique(rows.of[rows.field[places]], return_index=True)
    languages: list[str | None] = [None] * rows.records.height
    for record, language in zip(of.tolist(), rows.values(places[index]).str.slice(35, 3).to_list(), strict=True):
        languages[record] = language
    return pl.Series(languages, dtype=pl.String)


def _publication(rows: Rows, findings: Findings) -> None:
    publishers = rows.of_tag(264)
    publishers = publishers[rows.ind2[publishers] == ord("1")]
    both = rows.counts[rows.of[publishers], 260] > 0
    findings.at_fields("publication.twice", publishers[both])


def _language(rows: Rows, findings: Findings) -> None:
    fields = rows.of_tag(41)
    fields = fields[rows.ind2[fields] != ord("7")]
    if not len(fields):
        return
    own, places = rows.first_of(fields, "a")
    _, index = np.unique(rows.of[own], return_index=True)
    places = places[index]
    language = _language_of(rows).gather(rows.of[rows.field[places]])
    first = rows.values(places).str.slice(0, 3)
    # Blanks and fill say nothing, 'mul' that there are many, 'zxx' and 'und' that there is none to name.
    says = language.is_not_null() & ~language.is_in(["   ", "|||", "mul", "und", "zxx"])
    differ = np.flatnonzero((says & (first != language)).fill_null(False).to_numpy())
    findings.at_rows(
        "language.disagrees", places[differ],
        detail=pl.select(pl.format("041 $a begins with {}, 008/35-37 is {}", pl.Series(first.gather(differ)), pl.Series(language.gather(differ)))).to_series(),
    )  # fmt: skip


_SUBJECTS = {
    "bibliographic": (600, 610, 611, 630, 647, 648, 650, 651, 655),
    "authority": (700, 710, 711, 730, 747, 748, 750, 751, 755),
}


def _subject_source(rows: Rows, tables: Tables, findings: Findings) -> None:
    fields = np.flatnonzero(np.isin(rows.shape, _SUBJECTS[tables.kind]))
    two = np.zeros(len(rows.tag), dtype=bool)
    two[rows.field[rows.code == ord("2")]] = True
    seven = rows.ind2[fields] == ord("7")
    findings.at_fields("subject.source", fields[seven & ~two[fields]], detail="the second indicator is 7, and there is no $2")
    findings.at_fields("subject.source", fields[~seven & two[fields]], detail="there is $2, and the second indicator is not 7")


__all__ = ["LANGUAGES", "TAGS", "check_characters", "check_record", "check_values", "judge_values"]
