"""Take back what a feed wrote to one record, element by element: as it was before, as it was written, as it is now.

What is as it was written goes back; what somebody changed since stays and is listed; what is back already is nobody's edit. A
before that is masked can't be put back, and is never written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from holdfast.catalogue.entity_patch import Changes, Token, holds_token, same, value_at


class Change(NamedTuple):
    """What was written of one element. Values are the system's own, or tokens; None: not there.

    form: what counts of a value, as in resources/ils/elements.py: 'date' and 'moment' by their day, 'text' without
    superfluous blanks, of 'first' the first entry of the list, 'flag' with none as false; anything else whole.
    """

    element: str
    pointer: str
    before: Any
    after: Any
    form: str = ""


class Stays(NamedTuple):
    """An element that is not put back, with its three values."""

    element: str
    before: Any
    written: Any
    now: Any


@dataclass
class Undone:
    """changes: pointer → (now, before), to be written. conflicts: edited since. masked: ours, but the before is a token."""

    changes: Changes = field(default_factory=dict)
    conflicts: list[Stays] = field(default_factory=list)
    masked: list[Stays] = field(default_factory=list)


def undo_elements(written: Iterable[Change], live: Mapping[str, Any], token: Token | None = None) -> Undone:
    """What takes back from the live record what was written to it.

    token: makes the token of a plain text, for elements of which only tokens are known.
    """
    undone = Undone()
    for each in written:
        now = value_at(live, each.pointer)
        if alike(each.before, each.after, each.form, token) or alike(now, each.before, each.form, token):
            continue
        stays = Stays(each.element, each.before, each.after, now)
        if not alike(now, each.after, each.form, token):
            undone.conflicts.append(stays)
        elif holds_token(each.before):
            undone.masked.append(stays)
        else:
            undone.changes[each.pointer] = (now, _put_back(each, now))
    return undone


def edited(written: Iterable[Change], live: Mapping[str, Any], token: Token | None = None) -> list[Stays]:
    """What of a new record is not as it was written."""
    found = [(each, value_at(live, each.pointer)) for each in written]
    return [
        Stays(each.element, each.before, each.after, now)
        for each, now in found
        if not alike(now, each.after, each.form, token)
    ]


def without(written: Iterable[Change], taken_back: Iterable[Change], token: Token | None = None) -> list[Change]:
    """Changes as if an earlier one, which was taken back while they stood, had never been: their undo must not bring it back."""
    earlier = {each.pointer: each for each in taken_back}
    return [
        each._replace(before=earlier[each.pointer].before)
        if each.pointer in earlier and alike(each.before, earlier[each.pointer].after, each.form, token)
        else each
        for each in written
    ]


def alike(left: Any, right: Any, form: str, token: Token | None = None) -> bool:
    """Whether two values of an element say the same."""
    return same(_counts(left, form), _counts(right, form), token)


def _counts(value: Any, form: str) -> Any:
    if form == "flag":
        return bool(value)
    if form == "first" and isinstance(value, list):
        return value[0] if value else None
    if isinstance(value, str):
        if form in ("date", "moment") and not holds_token(value):
            return value[:10]
        return " ".join(value.split()) or None
    return value


def _put_back(change: Change, now: Any) -> Any:
    if change.form != "first" or not isinstance(now, list):
        return change.before
    # The other entries are nothing that the feed spoke of.
    first = change.before[:1] if isinstance(change.before, list) else []
    return [*first, *now[1:]] or None
