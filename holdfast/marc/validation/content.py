"""Checks of values, and of what belongs together in a record. MARC 21 Bibliographic and Authority."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence

import numpy as np

from holdfast.marc.validation.findings import Findings
from holdfast.marc.validation.memory import UNKNOWN
from holdfast.marc.validation.rows import TAGS, Ints, Mask, Rows
from holdfast.marc.validation.scan import ASKED, BLANK, CONTROL, REPLACEMENT, SHORT, Picked
from holdfast.marc.validation.tables import Bundle, Tables, Verdict, bundle, said_of
from holdfast.marc.validation.values import check_ean, check_ismn, check_upc

_MAIN = (100, 110, 111, 130)


def check_characters(picked: Picked, findings: Findings) -> None:
    for code, flag, at in (
        ("value.control_character", CONTROL, picked.control_at),
        ("value.replacement_character", REPLACEMENT, picked.replacement_at),
    ):
        hit = (picked.flags & flag) != 0
        findings.at_rows(code, picked.places[hit], position=at[hit])
    findings.at_rows("value.blank", picked.of(BLANK))


def check_values(rows: Rows, picked: Picked, tables: Tables, findings: Findings) -> None:
    """The checks of each subfield's values, by distinct values; a short value is judged once and remembered."""
    asked = (picked.flags & ASKED) != 0
    places, answers = picked.places[asked], picked.answer[asked].astype(np.int64)
    if not len(places):
        return
    known = list(tables.remembered)
    said = {number: known[number] for number in np.unique(answers[answers > 0]).tolist()}
    new = np.flatnonzero(answers == UNKNOWN)
    which = tables.check[rows.key(places[new])]
    answers[new], more = judge_values(tables.bundles, which, places[new], rows)
    _remember(tables, which, rows.text.words[places[new]], answers[new], more)
    report_values(places, answers, said | more, findings)


def _remember(tables: Tables, which: Ints, words: Ints, answers: Ints, said: Mapping[int, tuple[Verdict, ...]]) -> None:
    short = np.flatnonzero(words[:, 0] <= SHORT)
    if not len(short) or not tables.memory.has_room:
        return
    numbers = {0: 0} | {number: tables.number_of(verdicts) for number, verdicts in said.items()}
    own = np.array([numbers[each] for each in answers[short].tolist()], dtype=np.int32)
    texts = np.ascontiguousarray(words[short]).view(np.uint64)
    tables.memory.learn(which[short], texts, own)


def judge_values(
    bundles: Sequence[Bundle], which: Ints, places: Ints, rows: Rows
) -> tuple[Ints, dict[int, tuple[Verdict, ...]]]:
    """(of each of the subfields at `places` the number of its verdicts, 0 for none; verdicts by these numbers, below 0). Each is
    judged by the bundle whose number is in `which`, and a bundle is asked once a value."""
    numbers: dict[tuple[int, str], int] = {}
    said: dict[int, tuple[Verdict, ...]] = {}
    answers = []
    for number, value in zip(which.tolist(), rows.values(places).to_list(), strict=True):
        key = (number, value)
        if key not in numbers:
            # What is empty is a finding of its own.
            verdicts = bundles[number].judge(value) if value else ()
            numbers[key] = -2 - len(said) if verdicts else 0
            if verdicts:
                said[numbers[key]] = verdicts
        answers.append(numbers[key])
    return np.array(answers, dtype=np.int64), said


def report_values(places: Ints, answers: Ints, said: Mapping[int, tuple[Verdict, ...]], findings: Findings) -> None:
    wanted = {
        number: own
        for number, verdicts in said.items()
        if (own := [verdict for verdict in verdicts if verdict.code in findings.wanted])
    }
    if not wanted:
        return
    # What is said of a place, in numbers: the codes come in the order in which they are met.
    first, size = min(wanted), max(wanted) - min(wanted) + 1
    is_wanted = np.zeros(size + 1, dtype=bool)
    is_wanted[np.array(list(wanted)) - first] = True
    inside = (answers >= first) & (answers - first < size)
    hit = np.flatnonzero(is_wanted[np.where(inside, answers - first, size)])
    numbers, first_met, which = np.unique(answers[hit], return_index=True, return_inverse=True)
    by_number = np.argsort(which, kind="stable")
    begins = np.searchsorted(which[by_number], np.arange(len(numbers) + 1))
    by_code: dict[str, list[tuple[int, Verdict]]] = {}
    for number in np.argsort(first_met).tolist():
        for verdict in wanted[int(numbers[number])]:
            by_code.setdefault(verdict.code, []).append((number, verdict))
    for code, pairs in by_code.items():
        # A value has one verdict of a code, hardly ever more.
        at, verdict_of = [], []
        for nth, (number, _) in enumerate(pairs):
            at.append(by_number[begins[number] : begins[number + 1]])
            verdict_of.append(np.full(len(at[-1]), nth))
        place, said_by = np.concatenate(at), np.concatenate(verdict_of)
        order = np.argsort(place, kind="stable")
        findings.at_rows(code, places[hit[place[order]]], **said_of([verdict for _, verdict in pairs], said_by[order]))


_STANDARD_NUMBERS = (
    bundle(()),
    bundle((check_upc,)),
    bundle((check_ismn,)),
    bundle((check_ean,)),
)  # by indicator 1 of 024


def check_record(rows: Rows, tables: Tables, findings: Findings) -> None:
    if tables.kind == "bibliographic":
        _standard_numbers(rows, findings)
        _main_entry(rows, findings)
        _nonfiling(rows, findings)
        _publication(rows, findings)
        _language(rows, findings)
    if tables.kind == "authority":
        headings = rows.count(*range(100, 200))
        findings.at_records("heading.missing", np.flatnonzero(headings == 0), tag="1XX")
        findings.at_records("heading.main_entry", np.flatnonzero(headings > 1), tag="1XX")
    if tables.kind in ("bibliographic", "authority"):
        _subject_source(rows, tables, findings)


def _standard_numbers(rows: Rows, findings: Findings) -> None:
    places = rows.rows_of(24, "a")
    if len(places):
        kind = rows.ind1[rows.field[places]].astype(np.int64) - ord("0")
        which = np.where((kind >= 1) & (kind <= 3), kind, 0)
        report_values(places, *judge_values(_STANDARD_NUMBERS, which, places, rows), findings)


def _main_entry(rows: Rows, findings: Findings) -> None:
    mains = rows.count(*_MAIN)
    fields = rows.of_tag(*_MAIN)
    again = np.concatenate(([False], rows.of[fields][1:] == rows.of[fields][:-1])) if len(fields) else np.zeros(0, bool)
    findings.at_fields("heading.main_entry", fields[again])
    titles = rows.of_tag(245)
    has = mains[rows.of[titles]] > 0
    missing = titles[has & (rows.ind1[titles] == ord("0"))]
    findings.at_fields(
        "title.added_entry", missing, found="0", detail="there is a main entry, and the first indicator is 0"
    )
    needless = titles[~has & (rows.ind1[titles] == ord("1"))]
    findings.at_fields(
        "title.added_entry", needless, found="1", detail="there is no main entry, and the first indicator is 1"
    )


# Initial articles by language (MARC 21, Appendix F), those that are an article and nothing else with what follows them.
_ARTICLES = {
    "eng": ("the ", "a ", "an "), "fre": ("le ", "la ", "les ", "l'", "l’", "un ", "une "),
    "ger": ("der ", "die ", "das ", "ein ", "eine "), "spa": ("el ", "la ", "los ", "las ", "un ", "una "),
    "ita": ("il ", "lo ", "la ", "i ", "gli ", "le ", "l'", "l’", "un ", "uno ", "una "), "por": ("o ", "a ", "os ", "as ", "um ", "uma "),
    "dut": ("de ", "het ", "een "), "swe": ("den ", "det ", "en ", "ett "), "dan": ("den ", "det ", "en ", "et "),
    "nor": ("den ", "det ", "en ", "et ", "ei "), "hun": ("a ", "az ", "egy "), "ara": ("al-",),
}  # fmt: skip
_NONFILING = {222: 2, 240: 2, 242: 2, 243: 2, 245: 2, 440: 2, 830: 2, 130: 1, 630: 1, 730: 1, 740: 1}


_SECOND = np.zeros(TAGS, dtype=bool)
_SECOND[[tag for tag, which in _NONFILING.items() if which == 2]] = True


def _nonfiling(rows: Rows, findings: Findings) -> None:
    """The count ends where a word begins; and 245 counts its article."""
    fields, places = rows.first_of(rows.of_tag(*_NONFILING), "a")
    if not len(fields):
        return
    second = _SECOND[rows.tag[fields]]
    count = np.where(second, rows.ind2[fields], rows.ind1[fields]).astype(np.int64) - ord("0")
    texts = rows.characters(places, 11)
    some = np.flatnonzero((count >= 1) & (count <= 9))
    some = some[_may_cut(texts.matrix[some], count[some])]
    titles = rows.values(places[some]).to_list()
    cut = [k for k, title, n in zip(some.tolist(), titles, count[some].tolist(), strict=True) if _cuts(title, n)]
    findings.at_rows(
        "title.nonfiling",
        places[np.array(cut, dtype=np.int64)],
        whole=True,
        detail="the count of nonfiling characters ends inside a word, or behind the title",
    )
    zero = np.flatnonzero((count == 0) & (rows.tag[fields] == 245))
    language = rows.language_number[rows.of[fields[zero]]]
    begins: list[tuple[int, str]] = []
    for number, (name, articles) in _ARTICLES_BY_NUMBER.items():
        own = zero[language == number]
        if not len(own):
            continue
        # Letters in upper case are told apart in their sixth bit only; what is picked too many is looked at below.
        begin = texts.matrix[own, :2].astype(np.int64) | 32
        own = own[np.isin(begin @ [256, 1], [_begin_of(each) for each in articles])]
        titles = rows.values(places[own]).to_list()
        begins += [
            (k, name)
            for k, title in zip(own.tolist(), titles, strict=True)
            if (title or "").lower().startswith(articles)
        ]
    begins.sort()
    findings.at_rows(
        "title.nonfiling",
        places[np.array([k for k, _ in begins], dtype=np.int64)],
        whole=True,
        detail=[
            f"the second indicator is 0, and the title begins with an article ({language})" for _, language in begins
        ],
    )


_ARTICLES_BY_NUMBER = {int.from_bytes(name.encode()): (name, articles) for name, articles in _ARTICLES.items()}


def _begin_of(article: str) -> int:
    """The first two characters as `Characters` has them, with the sixth bit set."""
    one, two = (ord(each) if each.isascii() else ord("?") for each in article[:2])
    return (one | 32) * 256 + (two | 32)


# What becomes another character with a combining mark behind it (NFC), and no letter.
_COMPOSED = np.zeros(256, dtype=bool)
_COMPOSED[list(b"<=>?")] = True
_ALNUM = np.zeros(256, dtype=bool)
_ALNUM[list(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")] = True


def _may_cut(matrix: Ints, count: Ints) -> Mask:
    """False: the characters up to the count are ASCII, the last of them is no letter, and something follows."""
    places = np.arange(len(count))
    before = matrix[places, count - 1]
    strange = (matrix == ord("?")) & (np.arange(matrix.shape[1]) < count[:, None])
    return np.asarray(_ALNUM[before] | _COMPOSED[before] | strange.any(axis=1) | (matrix[places, count] == 0))


def _cuts(title: str | None, count: int) -> bool:
    # Marks over and under a letter are not counted as characters: NFC puts them together where it can.
    text = unicodedata.normalize("NFC", title or "")
    if len(text) <= count:
        return True
    return text[count - 1].isalnum() and text[count].isalnum()


def _publication(rows: Rows, findings: Findings) -> None:
    publishers = rows.of_tag(264)
    publishers = publishers[rows.ind2[publishers] == ord("1")]
    both = rows.count(260)[rows.of[publishers]] > 0
    findings.at_fields("publication.twice", publishers[both])


def _language(rows: Rows, findings: Findings) -> None:
    fields = rows.of_tag(41)
    fields = fields[rows.ind2[fields] != ord("7")]
    if not len(fields):
        return
    own, places = rows.first_of(fields, "a")
    of, index = np.unique(rows.of[own], return_index=True)
    places, numbers = places[index], rows.language_number[of]
    begin = rows.characters(places, 3).matrix
    # '?' may stand for anything; it is looked at.
    asked = np.flatnonzero(
        (numbers >= 0) & ((begin.astype(np.int64) @ [65536, 256, 1] != numbers) | (begin == ord("?")).any(axis=1))
    )
    differ = [
        (place, (value or "")[:3], language)
        for place, value, record in zip(
            places[asked].tolist(), rows.values(places[asked]).to_list(), of[asked].tolist(), strict=True
        )
        if (language := rows.language(record)) and language not in _NO_LANGUAGE and (value or "")[:3] != language
    ]
    findings.at_rows(
        "language.disagrees",
        np.array([place for place, _, _ in differ], dtype=np.int64),
        detail=[f"041 $a begins with {first!r}, 008/35-37 is {language!r}" for _, first, language in differ],
    )


# Blanks and fill say nothing, 'mul' that there are many, 'zxx' and 'und' that there is none to name.
_NO_LANGUAGE = ("   ", "|||", "mul", "und", "zxx")

_SUBJECTS = {
    "bibliographic": (600, 610, 611, 630, 647, 648, 650, 651, 655),
    "authority": (700, 710, 711, 730, 747, 748, 750, 751, 755),
}


def _subject_source(rows: Rows, tables: Tables, findings: Findings) -> None:
    subjects = np.zeros(TAGS, dtype=bool)
    subjects[list(_SUBJECTS[tables.kind])] = True
    fields = np.flatnonzero(subjects[rows.shape])
    two = np.zeros(len(rows.tag), dtype=bool)
    two[rows.first_of(fields, "2")[0]] = True
    seven = rows.ind2[fields] == ord("7")
    findings.at_fields(
        "subject.source", fields[seven & ~two[fields]], detail="the second indicator is 7, and there is no $2"
    )
    findings.at_fields(
        "subject.source", fields[~seven & two[fields]], detail="there is $2, and the second indicator is not 7"
    )
