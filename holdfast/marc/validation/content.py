"""Checks of values, and of what belongs together in a record. MARC 21 Bibliographic and Authority."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from holdfast.marc.kernel import compiled
from holdfast.marc.string_views import is_there
from holdfast.marc.validation.findings import Findings, Picks
from holdfast.marc.validation.memory import UNKNOWN
from holdfast.marc.validation.rows import TAGS, Ints, Rows
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
    least, size = min(wanted), max(wanted) - min(wanted) + 1
    inside = np.flatnonzero((answers >= least) & (answers - least < size))
    numbers = answers[inside] - least
    first_met = np.full(size, len(answers), dtype=np.int64)
    np.minimum.at(first_met, numbers, np.arange(len(numbers)))
    by_code: dict[str, list[tuple[int, Verdict]]] = {}
    for number in sorted(wanted, key=lambda each: first_met[each - least]):
        if first_met[number - least] < len(answers):
            for verdict in wanted[number]:
                by_code.setdefault(verdict.code, []).append((number - least, verdict))
    for code, pairs in by_code.items():
        # A value has one verdict of a code, hardly ever more: those go to further rounds.
        rounds: list[Ints] = []
        for nth, (number, _) in enumerate(pairs):
            free = next((each for each in rounds if each[number] < 0), None)
            if free is None:
                free = np.full(size, -1, dtype=np.int64)
                rounds.append(free)
            free[number] = nth
        said_by = np.concatenate([each[numbers] for each in rounds])
        at = np.flatnonzero(said_by >= 0)
        place, said_by = inside[at % len(numbers)], said_by[at]
        if len(rounds) > 1:
            order = np.argsort(place, kind="stable")
            place, said_by = place[order], said_by[order]
        findings.at_rows(code, places[place], **said_of([verdict for _, verdict in pairs], said_by))


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


_INDICATOR = np.zeros(TAGS, dtype=np.uint8)
for _tag, _which in _NONFILING.items():
    _INDICATOR[_tag] = _which


def _begin_of(article: str) -> int:
    """The first two characters, '?' for one beyond ASCII, with the sixth bit set: it tells upper from lower case."""
    one, two = (ord(each) if each.isascii() else ord("?") for each in article[:2])
    return (one | 32) * 256 + (two | 32)


_LANGUAGES = np.array([int.from_bytes(name.encode()) for name in _ARTICLES], dtype=np.int64)
_BEGINS = np.zeros((len(_ARTICLES), max(map(len, _ARTICLES.values()))), dtype=np.int64)
for _row, _own in enumerate(_ARTICLES.values()):
    _BEGINS[_row, : len(_own)] = [_begin_of(each) for each in _own]

# What is a letter or digit, or becomes another character with a combining mark behind it (NFC).
_NO_END = np.zeros(256, dtype=np.bool_)
_NO_END[list(b"<=>?0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")] = True
_CUT = -1


@compiled
def _pick_nonfiling(
    tag: Any, ind1: Any, ind2: Any, of: Any, first: Any, code: Any, values: Any, indicator: Any, language: Any,
    languages: Any, begins: Any, no_end: Any, places: Any, counts: Any, which: Any,
) -> int:  # fmt: skip
    """Fill `places` of the titles whose count may cut into a word (`which`: _CUT), or that may begin with an article which 245 does
    not count (the number of its language); how many. A count is clear where the characters up to it are ASCII, the last of them ends no
    word, and something follows."""
    picked = 0
    for k in range(len(tag)):
        if indicator[tag[k]] == 0:
            continue
        count = np.int64(ind2[k] if indicator[tag[k]] == 2 else ind1[k]) - 48
        if count < 0 or count > 9 or (count == 0 and tag[k] != 245):
            continue
        row: Any = np.int64(first[k])
        end: Any = np.int64(first[k + 1] if k + 1 < len(tag) else len(code))
        while row < end and code[row] != 0x61:
            row += 1
        if row == end:
            continue
        size: Any = np.int64(values.words[row, 0]) if is_there(values.valid, values.offset, row) else 0
        source, begin = values.inline, row * 16 + 4
        if size > SHORT:
            source, begin = values.data, values.starts[values.words[row, 2]] + np.int64(values.words[row, 3])
        found = _CUT
        if count > 0:
            clear = size > count and not no_end[source[begin + count - 1]]
            for at in range(min(count, size)):
                clear = clear and source[begin + at] < 0x80 and source[begin + at] != 0x3F
            if clear:
                continue
        else:
            number = language[of[k]]
            own = 0
            while own < len(languages) and languages[own] != number:
                own += 1
            if own == len(languages) or size == 0 or source[begin] >= 0x80:
                continue
            second = np.int64(source[begin + 1]) if size > 1 else 0
            head = (np.int64(source[begin]) | 32) * 256 + ((second if second < 0x80 else 0x3F) | 32)
            hit = False
            for each in begins[own]:
                hit = hit or each == head
            if not hit:
                continue
            found = own
        places[picked], counts[picked], which[picked] = row, count, found
        picked += 1
    return picked


def _nonfiling(rows: Rows, findings: Findings) -> None:
    """The count ends where a word begins; and 245 counts its article."""
    places, counts, which = np.empty((3, len(rows.tag)), dtype=np.int64)
    picked = _pick_nonfiling(
        rows.tag, rows.ind1, rows.ind2, rows.of, rows.first, rows.code, rows.text, _INDICATOR, rows.language_number,
        _LANGUAGES, _BEGINS, _NO_END, places, counts, which,
    )  # fmt: skip
    places, which = places[:picked], which[:picked]
    titles = rows.values(places).to_list()
    cut, begins = [], []
    for k, (title, own, count) in enumerate(zip(titles, which.tolist(), counts[:picked].tolist(), strict=True)):
        if own == _CUT:
            if _cuts(title, count):
                cut.append(k)
        elif (title or "").lower().startswith(_LISTED[own][1]):
            begins.append(k)
    findings.at_rows(
        "title.nonfiling",
        places[np.array(cut, dtype=np.int64)],
        whole=True,
        detail="the count of nonfiling characters ends inside a word, or behind the title",
    )
    said = [f"the second indicator is 0, and the title begins with an article ({name})" for name, _ in _LISTED]
    with_article = np.array(begins, dtype=np.int64)
    findings.at_rows("title.nonfiling", places[with_article], whole=True, detail=Picks(said, which[with_article]))


_LISTED = list(_ARTICLES.items())


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


@compiled
def _pick_subjects(shape: Any, ind2: Any, first: Any, code: Any, subjects: Any, places: Any, sevens: Any) -> int:
    """Fill the places of the subjects of which one is true: the second indicator is 7, there is a $2; how many. sevens: which one."""
    picked = 0
    for k in range(len(shape)):
        if not subjects[shape[k]]:
            continue
        two = False
        for row in range(first[k], first[k + 1] if k + 1 < len(shape) else len(code)):
            two = two or code[row] == 0x32
        seven = ind2[k] == 0x37
        if seven != two:
            places[picked], sevens[picked] = k, seven
            picked += 1
    return picked


def _subject_source(rows: Rows, tables: Tables, findings: Findings) -> None:
    subjects = np.zeros(TAGS, dtype=np.bool_)
    subjects[list(_SUBJECTS[tables.kind])] = True
    places, sevens = np.empty(len(rows.tag), dtype=np.int64), np.empty(len(rows.tag), dtype=np.bool_)
    picked = _pick_subjects(rows.shape, rows.ind2, rows.first, rows.code, subjects, places, sevens)
    places, sevens = places[:picked], sevens[:picked]
    findings.at_fields("subject.source", places[sevens], detail="the second indicator is 7, and there is no $2")
    findings.at_fields("subject.source", places[~sevens], detail="there is $2, and the second indicator is not 7")
