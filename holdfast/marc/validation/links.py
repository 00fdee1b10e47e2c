"""Checks of the links between fields: $6 and 880, $8 of holdings, linking entries.

Source: MARC 21, Appendix A (Control Subfields), 880, and MARC 21 Holdings, 853-878.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import numpy as np
import polars as pl

from holdfast.marc.kernel import compiled
from holdfast.marc.validation.columns import is_there
from holdfast.marc.validation.findings import Findings
from holdfast.marc.validation.rows import NONE, ODD_TAG, Ints, Rows

_880 = 880
_NONE = -1
_SHORT = 12
# Script identification codes: MARC 21, Appendix A, $6; and four letters of ISO 15924 in UNIMARC and newer systems.
_SCRIPTS = {"(3", "(B", "$1", "(N", "(S", "(2", "(4", "(Q"}
_LINK = re.compile(r"^(\d{3})-(\d{2,3})(?:/([^/]*))?(?:/(r))?$")


class Links:
    """$6 of the fields: a row a field that has one, with the tag and the occurrence number that it names.

    Attributes:
        rows: place of the first $6 of each of these fields.
        fields: their places.
        tag, number: what $6 names; -1 where it is malformed.
        scripts: places in `rows` whose third part is no script code.
    """

    def __init__(self, rows: Rows) -> None:
        fields, first = rows.one_each(np.flatnonzero(rows.code == ord("6")))
        self.rows: Ints = first
        self.fields: Ints = fields
        read = np.empty((len(first), 3), dtype=np.int64)
        _parse_plain(*rows.text, self.rows, read)
        asked = np.flatnonzero(read[:, 2] == _ASK)
        if len(asked):
            read[asked] = [_parse(text or "") for text in rows.values(self.rows[asked]).to_list()]
        self.tag: Ints = read[:, 0].copy()
        self.number: Ints = read[:, 1].copy()
        self.scripts: Ints = np.flatnonzero(read[:, 2])


_ASK = 2


@compiled
def _parse_plain(
    words: Any, inline: Any, data: Any, starts: Any, valid: Any, offset: int, rows: Any, read: Any
) -> None:
    """`_parse` of those that are three digits, a hyphen, two or three digits and a script code or nothing; _ASK for others."""
    for k in range(len(rows)):
        row = rows[k]
        read[k, 2] = _ASK
        size = np.int64(words[row, 0])
        if not is_there(valid, offset, row) or size < 6 or size > 12:
            continue
        at, end = row * 16 + 4, row * 16 + 4 + size
        fine = inline[at + 3] == 0x2D
        for place in range(6):
            fine = fine and (place == 3 or 48 <= inline[at + place] <= 57)
        for place in range(at + 6, end):
            fine = fine and 0x20 <= inline[place] < 0x80
        if not fine:
            continue
        tag, number = np.int64(0), np.int64(0)
        for place in range(3):
            tag = tag * 10 + np.int64(inline[at + place]) - 48
        behind = at + 4
        while behind < end and behind < at + 7 and 48 <= inline[behind] <= 57:
            number = number * 10 + np.int64(inline[behind]) - 48
            behind += 1
        if behind == end:
            read[k, 0], read[k, 1], read[k, 2] = tag, number, 0
            continue
        if inline[behind] != 0x2F:
            continue
        script = behind + 1
        behind = script
        while behind < end and inline[behind] != 0x2F:
            behind += 1
        # Behind the script nothing, or '/r'.
        if not (behind == end or (behind == end - 2 and inline[end - 1] == 0x72)):
            continue
        known = False
        if behind - script == 2:
            first, second = inline[script], inline[script + 1]
            if first == 0x28:  # (3 (B (N (S (2 (4 (Q
                known = second in (0x33, 0x42, 0x4E, 0x53, 0x32, 0x34, 0x51)
            else:
                known = first == 0x24 and second == 0x31  # $1
        elif behind - script == 4:
            known = 65 <= inline[script] <= 90
            for place in range(script + 1, behind):
                known = known and 97 <= inline[place] <= 122
        read[k, 0], read[k, 1], read[k, 2] = tag, number, 0 if known else 1


@compiled
def _pick_unclear(of: Any, own: Any, tag: Any, number: Any, here: Any, there: Any, tags: Any, picked: Any) -> None:
    """All links of records in which not every link has its one partner.

    here, there: -1 by number; tags: by side and number.
    """
    begin = 0
    while begin < len(of):
        end = begin
        clear = True
        while end < len(of) and of[end] == of[begin]:
            record, at = of[end], number[end]
            if at < 1 or at > 999 or tag[end] < 10 or (own[end] == _880) == (tag[end] == _880):
                clear = False  # malformed, unlinked, or of the wrong tag
            elif own[end] == _880:
                clear = clear and there[at] != record
                there[at] = record
                tags[1, at] = tag[end]
            else:
                clear = clear and here[at] != record
                here[at] = record
                tags[0, at] = own[end]
            end += 1
        if clear:
            for k in range(begin, end):
                at = number[k]
                clear = clear and here[at] == of[k] and there[at] == of[k] and tags[0, at] == tags[1, at]
        for k in range(begin, end):
            picked[k] = not clear
        begin = end


@lru_cache(maxsize=65536)
def _parse(text: str) -> tuple[int, int, bool]:
    """(tag, occurrence number, is the script code wrong?)"""
    found = _LINK.match(text)
    if not found or text.startswith("pii:"):
        return _NONE, _NONE, False
    script = found[3]
    if script is None or script in _SCRIPTS or re.fullmatch(r"[A-Z][a-z]{3}", script):
        return int(found[1]), int(found[2]), False
    return int(found[1]), int(found[2]), True


def give_shapes(rows: Rows, links: Links) -> None:
    """Each 880 gets the shape of the field it stands for."""
    of_880 = (rows.tag[links.fields] == _880) & (links.tag > 9) & (links.tag != _880)
    rows.shape[links.fields[of_880]] = links.tag[of_880]


@compiled
def _among(values: Any, others: Any) -> Any:
    """Of each value: is it one of the others?"""
    known = set(others)
    found = np.empty(len(values), dtype=np.bool_)
    for k in range(len(values)):
        found[k] = values[k] in known
    return found


def check_links(rows: Rows, links: Links, findings: Findings) -> None:
    """`rows` of MARC 21; $6 and 880."""
    findings.at_rows("link.form", links.rows[links.tag == _NONE])
    findings.at_rows("link.script", links.rows[links.scripts])
    with_six = np.zeros(len(rows.tag), dtype=bool)
    with_six[links.fields] = True
    parallel = rows.of_tag(_880)
    findings.at_fields("link.absent", parallel[~with_six[parallel]])

    # Where every link of a record has its one partner, nothing more is to be said.
    tag, number, places = links.tag, links.number, links.rows
    own, of = rows.tag[links.fields], rows.of[links.fields]
    unclear = np.empty(len(of), dtype=np.bool_)
    none = np.full((2, 1000), -1)
    _pick_unclear(of, own, tag, number, *none, np.zeros((2, 1000), dtype=np.int64), unclear)
    tag, number, places, own, of = (each[unclear] for each in (tag, number, places, own, of))
    is_880, formed = own == _880, tag != _NONE
    unlinked = formed & is_880 & (number == 0)
    findings.at_rows("link.unlinked", places[unlinked])
    not_880 = formed & ~is_880 & (tag != _880)
    findings.at_rows("link.tag", places[not_880], detail="$6 of a field that is no 880 names 880")
    to_880 = formed & is_880 & ((tag == _880) | (tag < 10))
    findings.at_rows("link.tag", places[to_880], detail="$6 of an 880 names the tag of the field it belongs to")

    left = formed & ~is_880 & (tag == _880)
    right = formed & is_880 & ~unlinked & ~to_880
    ours = (of * 1000 + number) * (ODD_TAG + 1) + own
    theirs = (of * 1000 + number) * (ODD_TAG + 1) + tag
    numbers = of * 1000 + number
    alone = left & ~_among(ours, theirs[right])
    findings.at_rows("link.no_880", places[alone & ~_among(numbers, numbers[right])])
    nowhere = right & ~_among(theirs, ours[left])
    elsewhere = nowhere & _among(numbers, numbers[left])
    findings.at_rows("link.no_partner", places[nowhere & ~elsewhere])
    findings.at_rows(
        "link.tag",
        places[elsewhere],
        detail="a field with this occurrence number is there, with another tag than $6 names",
    )
    for side in (left & (number > 0), right):
        chosen = np.flatnonzero(side)
        order = chosen[np.argsort(numbers[chosen], kind="stable")]
        again = order[1:][numbers[order][1:] == numbers[order][:-1]]
        findings.at_rows("link.duplicate", places[np.sort(again)])


def paired(rows: Rows, links: Links, fields: Ints) -> Ints:
    """Of these fields (none is an 880) those that have their 880."""
    own, of = rows.tag[links.fields], rows.of[links.fields]
    right = (own == _880) & (links.number > 0)
    left = (own != _880) & (links.tag == _880)
    theirs = (of * 1000 + links.number) * (ODD_TAG + 1) + links.tag
    ours = (of * 1000 + links.number) * (ODD_TAG + 1) + own
    good = links.fields[left & np.isin(ours, theirs[right])]
    return np.intersect1d(fields, good)


_CAPTIONS = {863: 853, 864: 854, 865: 855}


def check_captions(rows: Rows, findings: Findings) -> None:
    """Each 863-865 has the 853-855 with its link number. MARC 21 Holdings."""
    if not len(rows.of_tag(*_CAPTIONS)):
        return
    eight = np.flatnonzero((rows.code == ord("8")) & np.isin(rows.tag[rows.field], [*_CAPTIONS, *_CAPTIONS.values()]))
    number = rows.values(eight).str.extract(r"^(\d{1,9})", 1).cast(pl.Int64).fill_null(_NONE).to_numpy()
    tag, of = rows.tag[rows.field[eight]], rows.of[rows.field[eight]]
    caption = np.array([_CAPTIONS.get(int(each), each) for each in tag], dtype=np.int64)
    key = (of * 1000 + caption) * 10**9 + number
    is_caption = tag == caption
    wrong = ~is_caption & (number != _NONE) & ~np.isin(key, key[is_caption])
    findings.at_rows("link.caption", eight[wrong])


_SAYS = np.zeros(256, dtype=np.bool_)
_SAYS[list(b"abcdghkmnoprstuwxyz")] = True


@compiled
def _pick_mute(tag: Any, ind1: Any, first: Any, code: Any, values: Any, says: Any, places: Any) -> int:
    """Fill the places of the linking entries with no subfield of `says` that has a value; how many."""
    picked = 0
    for k in range(len(tag)):
        if tag[k] < 760 or tag[k] > 787 or ind1[k] == NONE:
            continue
        mute = True
        for row in range(first[k], first[k + 1] if k + 1 < len(tag) else len(code)):
            if says[code[row]] and values.words[row, 0] > 0 and is_there(values.valid, values.offset, row):
                mute = False
        if mute:
            places[picked] = k
            picked += 1
    return picked


def check_entries(rows: Rows, findings: Findings) -> None:
    """A linking entry says what it links to."""
    places = np.empty(len(rows.tag), dtype=np.int64)
    picked = _pick_mute(rows.tag, rows.ind1, rows.first, rows.code, rows.text, _SAYS, places)
    findings.at_fields("link.entry", places[:picked])
