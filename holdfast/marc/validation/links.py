"""Checks of the links between fields: $6 and 880, $8 of holdings, linking entries.

Source: MARC 21, Appendix A (Control Subfields), 880, and MARC 21 Holdings, 853-878.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache

import numpy as np
import polars as pl

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
        array = rows.values(self.rows).to_arrow(compat_level=pl.CompatLevel.newest()).dictionary_encode()
        read = [_parse(text) for text in array.dictionary.to_pylist()] + [_parse("")]
        number = array.indices.fill_null(len(read) - 1).to_numpy(zero_copy_only=False)
        table = np.array(read, dtype=np.int64)
        self.tag: Ints = table[number, 0]
        self.number: Ints = table[number, 1]
        self.scripts: Ints = np.flatnonzero(table[number, 2])


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


def as_linked(rows: Rows, links: Links) -> Rows:
    """The rows, with each 880 having the shape of the field it stands for."""
    of_880 = (rows.tag[links.fields] == _880) & (links.tag > 9) & (links.tag != _880)
    shape = rows.tag.copy()
    shape[links.fields[of_880]] = links.tag[of_880]
    return replace(rows, shape=shape)


def check_links(rows: Rows, links: Links, findings: Findings) -> None:
    """`rows` of MARC 21; $6 and 880."""
    own = rows.tag[links.fields]
    of = rows.of[links.fields]
    is_880 = own == _880
    formed = links.tag != _NONE
    findings.at_rows("link.form", links.rows[~formed])
    findings.at_rows("link.script", links.rows[links.scripts])
    with_six = np.zeros(len(rows.tag), dtype=bool)
    with_six[links.fields] = True
    findings.at_fields("link.absent", np.flatnonzero((rows.tag == _880) & ~with_six))

    unlinked = formed & is_880 & (links.number == 0)
    findings.at_rows("link.unlinked", links.rows[unlinked])
    not_880 = formed & ~is_880 & (links.tag != _880)
    findings.at_rows("link.tag", links.rows[not_880], detail="$6 of a field that is no 880 names 880")
    to_880 = formed & is_880 & ((links.tag == _880) | (links.tag < 10))
    findings.at_rows("link.tag", links.rows[to_880], detail="$6 of an 880 names the tag of the field it belongs to")

    left = formed & ~is_880 & (links.tag == _880)
    right = formed & is_880 & ~unlinked & ~to_880
    ours = (of * 1000 + links.number) * (ODD_TAG + 1) + own
    theirs = (of * 1000 + links.number) * (ODD_TAG + 1) + links.tag
    numbers = of * 1000 + links.number
    alone = left & ~np.isin(ours, theirs[right])
    findings.at_rows("link.no_880", links.rows[alone & ~np.isin(numbers, numbers[right])])
    nowhere = right & ~np.isin(theirs, ours[left])
    elsewhere = nowhere & np.isin(numbers, numbers[left])
    findings.at_rows("link.no_partner", links.rows[nowhere & ~elsewhere])
    findings.at_rows(
        "link.tag",
        links.rows[elsewhere],
        detail="a field with this occurrence number is there, with another tag than $6 names",
    )
    for side in (left & (links.number > 0), right):
        places = np.flatnonzero(side)
        order = places[np.argsort(numbers[places], kind="stable")]
        again = order[1:][numbers[order][1:] == numbers[order][:-1]]
        findings.at_rows("link.duplicate", links.rows[np.sort(again)])


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


_SAYS = b"abcdghkmnoprstuwxyz"


def check_entries(rows: Rows, findings: Findings) -> None:
    """A linking entry says what it links to."""
    fields = rows.of_tag(*range(760, 788))
    if not len(fields):
        return
    places = rows.within(fields)
    says = np.zeros(len(rows.tag), dtype=bool)
    telling = places[np.isin(rows.code[places], np.frombuffer(_SAYS, dtype=np.uint8))]
    says[rows.field[telling[rows.length(telling) > 0]]] = True
    findings.at_fields("link.entry", fields[~says[fields] & (rows.ind1[fields] != NONE)])
