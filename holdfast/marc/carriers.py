"""What a record describes by what carries it: electronic, microform or tangible. Compiled, without the GIL.

Said, the strongest first (MARC 21 Format for Bibliographic Data; RDA carrier types, value vocabulary of 338 $b):

1. 008/23, of maps and visual materials 008/29, form of item: o q s electronic, a b c microform, d f r tangible (large print, braille,
   a print on paper that repeats another). It is about the item as a whole.
2. leader/06 m, computer file: electronic.
3. 338 $b, all of one class: c… (computer) electronic, h… microform, others but z… (unspecified) tangible. Of several classes it names
   what comes along, too, a disc with a book; then neither it nor 007 is asked before the blank of 008.
4. 007, all of one class: cr (remote) electronic, h microform. Not of continuing resources: a record of a printed one may have a 007 for
   its online version (CONSER's single-record approach), and 007 may be of a part.
5. 008/23 or /29 blank, none of these: tangible. It stands below 338 and 007, for it is also what a template leaves.
6. 007, all of one class, whatever it is: c electronic, h microform, z (unspecified) nothing, others tangible.

Nothing of this, a fill character, a code that is not defined, holdings and authorities: unknown. 006, 245 $h and the words of 338 $a, which
are in the language of the cataloguing, are not read.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from holdfast.marc.kernel import compiled
from holdfast.marc.string_views import Text
from holdfast.marc.text_spans import begin_of, characters, source_of, stripped

CARRIERS = ("electronic", "microform", "tangible")

_Ints = npt.NDArray[Any]
_NAMES = pl.Series([None, *CARRIERS], dtype=pl.String)
_ELECTRONIC, _MICROFORM, _TANGIBLE = 1, 2, 3
_SEVERAL = 4
_BLANK = 5  # of 008: none of the forms that have a code


def _table(**letters: int) -> npt.NDArray[np.uint8]:
    table = np.zeros(256, dtype=np.uint8)
    for each, number in letters.items():
        table[ord(each)] = number
    return table


_FORMS = _table(
    **dict.fromkeys("oqs", _ELECTRONIC), **dict.fromkeys("abc", _MICROFORM), **dict.fromkeys("dfr", _TANGIBLE)
)
_FORMS[0x20] = _BLANK
# Where 008 has the form of item, by leader/06; 0: nowhere.
_PLACES = _table(**dict.fromkeys("atcdijmp", 23), **dict.fromkeys("efgkor", 29))
_OF_007 = _table(c=_ELECTRONIC, h=_MICROFORM, **dict.fromkeys("adfgkmoqrstv", _TANGIBLE))
_OF_338 = _table(c=_ELECTRONIC, h=_MICROFORM, **dict.fromkeys("egmnpsv", _TANGIBLE))


def carriers(
    leaders: Text, values: Text, fixed: _Ints, physical: tuple[_Ints, _Ints], rda: tuple[_Ints, _Ints]
) -> pl.Series:
    """One of CARRIERS for each record, null where it is unknown.

    Args:
        leaders: of the records. values: of all subfields.
        fixed: int64[records], the row of each record's 008, -1: none.
        physical, rda: rows of 007 and of 338 $b, and the places of their records, which rise.
    """
    found = np.empty(len(leaders.words), dtype=np.uint32)
    _decide(leaders, values, fixed, *physical, *rda, _FORMS, _PLACES, _OF_007, _OF_338, found)
    return _NAMES.gather(pl.Series(found))


@compiled
def _both(one: int, other: int) -> int:
    """The class of two statements; nothing says nothing."""
    if one == 0 or one == other:
        return other
    if other == 0:
        return one
    return _SEVERAL


@compiled
def _decide(
    leaders: Any, values: Any, fixed: Any, rows_007: Any, owners_007: Any, rows_338: Any, owners_338: Any, forms: Any, places: Any,
    of_007: Any, of_338: Any, found: Any,
) -> None:  # fmt: skip
    one, two = 0, 0
    for k in range(len(found)):
        physical: Any = 0
        rda: Any = 0
        form: Any = 0
        remote: Any = True  # no 007 is of a computer's disc, tape or card
        while one < len(rows_007) and owners_007[one] == k:
            source, begin = source_of(values, rows_007[one]), begin_of(values, rows_007[one])
            size = np.int64(values.words[rows_007[one], 0])
            if size:
                category = np.int64(of_007[source[begin]])
                physical = _both(physical, category)
                remote &= category != _ELECTRONIC or (size > 1 and source[begin + 1] == 0x72)  # r
            one += 1
        while two < len(rows_338) and owners_338[two] == k:
            source, at = source_of(values, rows_338[two]), begin_of(values, rows_338[two])
            begin, end = stripped(source, at, at + np.int64(values.words[rows_338[two], 0]))
            if end - begin == 2:
                rda = _both(rda, np.int64(of_338[source[begin]]))
            two += 1
        source, at = source_of(leaders, k), begin_of(leaders, k)
        begin, end = characters(source, at, at + np.int64(leaders.words[k, 0]), 6, 2)
        kind: Any = np.int64(source[begin]) if end > begin else 0
        level: Any = np.int64(source[begin + 1]) if end > begin + 1 else 0
        if places[kind] == 0:
            found[k] = 0
            continue
        if fixed[k] >= 0:
            source, at = source_of(values, fixed[k]), begin_of(values, fixed[k])
            end = at + np.int64(values.words[fixed[k], 0])
            begin, end = characters(source, at, end, np.int64(places[kind]), 1)
            form = np.int64(forms[source[begin]]) if end > begin else 0
        continuing = level == 0x62 or level == 0x69 or level == 0x73  # b i s
        if form != 0 and form != _BLANK:
            found[k] = form
        elif kind == 0x6D:  # m
            found[k] = _ELECTRONIC
        elif rda != 0 and rda != _SEVERAL:
            found[k] = rda
        elif rda == 0 and not continuing and (physical == _MICROFORM or (physical == _ELECTRONIC and remote)):
            found[k] = physical
        elif form == _BLANK:
            found[k] = _TANGIBLE
        else:
            found[k] = physical if physical != _SEVERAL else 0
