"""Take back what a load wrote to a record, and nothing that anybody did since: a merge of three sides, subfield by subfield.

The base is the record as the load left it, one side is the record as it was before, the other the live record. What is live
as the load left it goes back; what was changed since stays, and where the load had changed the same, it is a conflict. So it
is in diff3 (Khanna, Kunal, Pierce: A Formal Investigation of Diff3, 2007), with fields and subfields for lines.

Fields are (tag, text) as in holdfast.catalogue.fields. Images may be masked: a masked subfield is the same before and after,
so that it never comes from an image, only from the live record.
"""

from __future__ import annotations

import itertools
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from holdfast.catalogue.fields import DELIMITER
from holdfast.catalogue.patch import apply_patch

Field = tuple[str, str]
Fields = list[Field]

# Numbers and links that many fields have alike: by these alone no field is taken for another one that was edited.
_CONTROL_SUBFIELDS = frozenset("012345678e9")
# Each system sets these by itself.
_SYSTEMS_OWN = ("001", "003")
_DATE = "005"
# Data elements of fixed fields that are one value: MARC 21, leader and 008 (all materials).
_ELEMENTS = {
    "LDR": [(at, at + 1) for at in (5, 6, 7, 8, 17, 18, 19)],
    "008": [(0, 6), (6, 7), (7, 11), (11, 15), (15, 18), (18, 35), (35, 38), (38, 39), (39, 40)],
}


class Conflict(NamedTuple):
    """A subfield that stays as it is, because it was changed since; or what was removed since and stays away.

    code: of the subfield; 'ind' for the indicators, 'from-to' for positions of a fixed field, '' for a field as a whole.
    before, written, now: the value before the load, by the load and live; None: not there.
    """

    tag: str
    code: str
    before: str | None
    written: str | None
    now: str | None


class Undone(NamedTuple):
    """The patch of the live record that takes the change back (both empty: nothing of it is left), and what stays."""

    deletes: Fields
    adds: Fields
    conflicts: list[Conflict]


def _key(field: Field) -> Field:
    return field[0], unicodedata.normalize("NFC", field[1])


def _own(field: Field) -> bool:
    return field[0] in _SYSTEMS_OWN or (field[0] == "999" and field[1].startswith("ff"))


def _is_control(tag: str) -> bool:
    return tag == "LDR" or tag.startswith("00")


def _pieces(text: str) -> list[tuple[str, str]]:
    return [(piece[:1], piece[1:]) for piece in text[2:].split(DELIMITER)[1:] if piece]


def _text(indicators: str, pieces: Iterable[tuple[str, str]]) -> str:
    return indicators + "".join(DELIMITER + code + value for code, value in pieces)


def _less(fields: Sequence[Field], others: Sequence[Field]) -> Fields:
    """`fields` without as many of each as `others` has."""
    left = Counter(_key(each) for each in others)
    kept: Fields = []
    for each in fields:
        if left[_key(each)]:
            left[_key(each)] -= 1
        else:
            kept.append(each)
    return kept


def _likeness(one: Field, other: Field) -> int:
    """Characters of subfields (not numbers and links) that both have; 0 for other tags."""
    if one[0] != other[0]:
        return 0
    if _is_control(one[0]):
        return 1
    have = Counter(_pieces(unicodedata.normalize("NFC", other[1])))
    score = 0
    for piece in _pieces(unicodedata.normalize("NFC", one[1])):
        if piece[0] not in _CONTROL_SUBFIELDS and have[piece]:
            have[piece] -= 1
            score += len(piece[1]) + 1
    return score


def _pair(
    ones: Sequence[Field], others: Sequence[Field], fallback: Callable[[int], bool] = lambda _: True
) -> dict[int, int]:
    """Which field of `ones` became which of `others`, by their places: the likest first. Of a tag that is left once on each
    side, the two are one field, where `fallback` says so of the place in `ones`."""
    scored = [
        (-score, abs(i - j), i, j)
        for i, one in enumerate(ones)
        for j, other in enumerate(others)
        if (score := _likeness(one, other))
    ]
    pairs: dict[int, int] = {}
    taken: set[int] = set()
    for _, _, i, j in sorted(scored):
        if i not in pairs and j not in taken:
            pairs[i] = j
            taken.add(j)
    for tag in {one[0] for one in ones}:
        left = [i for i, one in enumerate(ones) if one[0] == tag and i not in pairs]
        free = [j for j, other in enumerate(others) if other[0] == tag and j not in taken]
        if len(left) == len(free) == 1 and fallback(left[0]):
            pairs[left[0]] = free[0]
    return pairs


def _merge_fixed(tag: str, before: str, written: str, now: str) -> tuple[str, list[Conflict]]:
    spans = _ELEMENTS.get(tag, [])
    if not spans or not len(before) == len(written) == len(now):
        spans = []
    conflicts, text = [], now
    for start, end in spans:
        ours, base, theirs = before[start:end], written[start:end], now[start:end]
        if ours != base and theirs == base:
            text = text[:start] + ours + text[end:]
        elif theirs not in (ours, base) and ours != base:
            conflicts.append(Conflict(tag, f"{start}-{end - 1}", ours, base, theirs))
    if not spans:
        if now == written:
            text = before
        elif now != before and tag != _DATE:
            conflicts.append(Conflict(tag, "", before, written, now))
    return text, conflicts


def _values(pieces: Iterable[tuple[str, str]], code: str) -> list[str]:
    return [value for each, value in pieces if each == code]


def _without(values: Sequence[str], others: Sequence[str]) -> list[str]:
    left = Counter(unicodedata.normalize("NFC", each) for each in others)
    kept = []
    for value in values:
        key = unicodedata.normalize("NFC", value)
        if left[key]:
            left[key] -= 1
        else:
            kept.append(value)
    return kept


def _merge_subfields(
    tag: str, code: str, before: list[str], written: list[str], now: list[str]
) -> tuple[list[tuple[str | None, str | None]], list[Conflict]]:
    """Replacements (a live value or None, what it becomes or None) of the subfields of one code."""
    if [unicodedata.normalize("NFC", each) for each in now] == [unicodedata.normalize("NFC", each) for each in written]:
        return list(itertools.zip_longest(now, before)) if before != written else [], []
    gone, ours = _without(before, written), _without(written, before)
    unchanged = _without(written, ours)
    free = _without(now, unchanged)  # what of the live ones is not as it was before and after
    edited = _without(now, written)
    replaced: list[tuple[str | None, str | None]] = []
    conflicts = []
    for old, value in itertools.zip_longest(gone, ours):
        there = value is not None and not _without([value], free)
        if there and value is not None:
            free = _without(free, [value])
            replaced.append((value, old))
        elif value is None and (not edited or written):
            if old is not None and _without([old], free):
                replaced.append((None, old))
        elif old is None or _without([old], now):
            conflicts.append(Conflict(tag, code, old, value, edited[0] if edited else None))
    return replaced, conflicts


def _merge_field(tag: str, before: str, written: str, now: str) -> tuple[str, list[Conflict]]:
    """The live field with what the load changed in it taken back. `before` is empty where the load added the field."""
    if _is_control(tag):
        return _merge_fixed(tag, before, written, now)
    old, base, pieces = _pieces(before), _pieces(written), _pieces(now)
    conflicts: list[Conflict] = []
    indicators = now[:2]
    if before and before[:2] != written[:2]:
        if now[:2] == written[:2]:
            indicators = before[:2]
        elif now[:2] != before[:2]:
            conflicts.append(Conflict(tag, "ind", before[:2], written[:2], now[:2]))
    for code in dict.fromkeys(code for code, _ in [*old, *base]):
        changes, found = _merge_subfields(tag, code, _values(old, code), _values(base, code), _values(pieces, code))
        conflicts += found
        for value, becomes in changes:
            if value is None:
                pieces.insert(_place(pieces, old, code, str(becomes)), (code, str(becomes)))
                continue
            at = pieces.index((code, value)) if (code, value) in pieces else _index(pieces, code, value)
            pieces[at : at + 1] = [(code, "\0" + becomes)] if becomes is not None else []
        # Marked, so that a value that was put back is not taken for one that is still to be replaced.
        pieces = [(each, value.removeprefix("\0")) for each, value in pieces]
    return (_text(indicators, pieces) if pieces else ""), conflicts


def _index(pieces: list[tuple[str, str]], code: str, value: str) -> int:
    wanted = unicodedata.normalize("NFC", value)
    return next(
        at for at, each in enumerate(pieces) if each[0] == code and unicodedata.normalize("NFC", each[1]) == wanted
    )


def _place(pieces: list[tuple[str, str]], old: list[tuple[str, str]], code: str, value: str) -> int:
    """Where a subfield that comes back stands: behind the nearest one that stood before it and is there."""
    at = next((n for n, each in enumerate(old) if each == (code, value)), len(old))
    for each in reversed(old[:at]):
        if each in pieces:
            return pieces.index(each) + 1
    return 0 if at == 0 else len(pieces)


def undo(before: Sequence[Field], after: Sequence[Field], live: Sequence[Field]) -> Undone:
    """The patch that takes back from the live record what made `before` into `after`.

    Args:
        before, after: the record before and after the load's change; the images may be masked.
        live: the record now, with `live` values of masked subfields as they are, or masked alike.
    """
    old = [each for each in before if not _own(each)]
    base = [each for each in after if not _own(each)]
    now = [each for each in live if not _own(each)]
    removed, added = _less(old, base), _less(base, old)
    if not removed and not added:
        return Undone([], [], [])
    unchanged = _less(base, added)
    became = _pair(removed, added)
    old_of = {j: removed[i] for i, j in became.items()}
    # Fields that are live as the load left them.
    free = _less(now, unchanged)
    whole = _matches(added, free)
    exact = [each in whole for each in range(len(added))]
    left = _less(free, [each for n, each in enumerate(added) if exact[n]])
    # The others were edited since, or are gone. Those that the load left alone are edited, too: they take part, so that none
    # of them is taken for ours.
    back = {n for n in old_of if not exact[n] and not _less([old_of[n]], left)}
    changed = [n for n in range(len(added)) if not exact[n] and n not in back]
    others = _less(unchanged, now)
    # What is back already is nobody's edit.
    edited = _less(left, removed)
    now_as = _pair([added[n] for n in changed] + others, edited, lambda at: at < len(changed) and changed[at] in old_of)
    deletes: Fields = []
    adds: Fields = []
    conflicts: list[Conflict] = []
    for n, field in enumerate(added):
        old_text = old_of[n][1] if n in old_of else ""
        if exact[n]:
            deletes.append(next(each for each in free if _key(each) == _key(field)))
            adds += [old_of[n]] if n in old_of else []
            continue
        if n in back:
            continue
        place = now_as.get(changed.index(n))
        if place is None:
            if field[0] != _DATE:
                conflicts.append(Conflict(field[0], "", old_text or None, field[1], None))
            continue
        theirs = edited[place]
        text, found = _merge_field(field[0], old_text, field[1], theirs[1])
        conflicts += found
        if text != theirs[1]:
            deletes.append(theirs)
            adds += [(field[0], text)] if text else []
    for n, field in enumerate(removed):
        if n not in became and _less([field], left):
            adds.append(field)
    return Undone(deletes, adds, conflicts)


def _matches(wanted: Sequence[Field], fields: Sequence[Field]) -> set[int]:
    """Places in `wanted` of those that are in `fields`, each as often as it is there."""
    left = Counter(_key(each) for each in fields)
    found = set()
    for place, each in enumerate(wanted):
        if left[_key(each)]:
            left[_key(each)] -= 1
            found.add(place)
    return found


def image_after(before: Sequence[Field], deletes: Fields, adds: Fields) -> Fields:
    """The record as a change left it.

    Raises:
        PatchConflictError: the image has no field that the change deleted.
    """
    return apply_patch(list(before), deletes, adds)


def undo_on_image(before: Sequence[Field], after: Sequence[Field], image: Fields) -> Fields:
    """An image from which an earlier change is taken back: what a later change found would else bring the earlier one back."""
    undone = undo(before, after, image)
    return apply_patch(image, undone.deletes, undone.adds)


def stands(before: Sequence[Field], after: Sequence[Field], live: Sequence[Field]) -> str:
    """How a change stands in the live record: 'whole' (all of it is there), 'none' (the record is as before in all that it
    changed), 'part', or 'empty' (it changed nothing)."""
    old = [each for each in before if not _own(each) and each[0] != _DATE]
    base = [each for each in after if not _own(each) and each[0] != _DATE]
    now = [each for each in live if not _own(each) and each[0] != _DATE]
    removed, added = _less(old, base), _less(base, old)
    if not removed and not added:
        return "empty"
    if not _less(added, now) and len(_less(removed, now)) == len(removed):
        return "whole"
    if not _less(removed, now) and len(_less(added, now)) == len(added):
        return "none"
    return "part"


__all__ = ["Conflict", "Field", "Fields", "Undone", "image_after", "stands", "undo", "undo_on_image"]
