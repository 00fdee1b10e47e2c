"""Changes of a JSON record (holdings, item, patron) as pointers with before and after: found, applied, taken back.

    {"/status/name": ("Missing", "Available"), "/notes": (None, [{…}])}

A pointer is RFC 6901's. None says: not there; what a library system sends as null, [] or {} is not there either. Lists of
one length are compared entry by entry, others as a whole: an index then never means another entry than it did.

Befores can be masked (`pii:` tokens, holdfast.privacy): they are compared with the token of the live value. Afters can't: a
token is never written.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from holdfast.privacy.masking import PREFIX

Changes = dict[str, tuple[Any, Any]]
Token = Callable[[str], str]


class EntityConflictError(ValueError):
    """The live record is neither as it was planned on nor as it is to become; names the pointer, never the value."""


class MaskedAfterError(ValueError):
    """A masked value was to be written. What it stands for is only in the library system and in the vault."""


def plain(value: Any) -> str:
    """The text of a value that its token is made of: of a string itself, of anything else its JSON."""
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)


def is_masked(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(PREFIX)


def diff(before: Any, after: Any, token: Token | None = None) -> Changes:
    """What makes `before` into `after`; both are JSON objects. Empty: nothing would change.

    token: makes the token of a plain text. With it, a masked value is equal to the value that it stands for.
    """
    return dict(_differences("", _tidy(before) or {}, _tidy(after) or {}, token))


def apply_changes(
    live: Mapping[str, Any], changes: Mapping[str, tuple[Any, Any]], token: Token | None = None
) -> dict[str, Any]:
    """The live record with the changes; what is changed already stays. `live` itself is left as it is.

    Raises:
        EntityConflictError: a before is not what is there, and the after isn't either.
        MaskedAfterError: an after is a token.
        ValueError: a pointer is no pointer, or lies within another one.
    """
    _check(changes)
    body = copy.deepcopy(dict(live))
    for pointer in sorted(changes):
        before, after = changes[pointer]
        now = value_at(body, pointer)
        if same(after, now, token):
            continue
        if not same(before, now, token):
            raise EntityConflictError(
                f"{pointer}: somebody changed it since it was planned; it is neither what it was nor what it is to become"
            )
        _set(body, _parts(pointer), pointer, copy.deepcopy(after))
    return body


def is_applied(live: Mapping[str, Any], changes: Mapping[str, tuple[Any, Any]], token: Token | None = None) -> bool:
    """Whether every after is there."""
    return all(same(after, value_at(live, pointer), token) for pointer, (_, after) in changes.items())


def reverse(changes: Mapping[str, tuple[Any, Any]]) -> Changes:
    """The changes that take these back. Where a before is masked, they can be compared but not applied."""
    return {pointer: (after, before) for pointer, (before, after) in changes.items()}


def same(left: Any, right: Any, token: Token | None = None) -> bool:
    """Whether two values are one; a token is what it stands for, where `token` is given."""
    left, right = _tidy(left), _tidy(right)
    if left is None or right is None:
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[name], right[name], token) for name in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(same(*pair, token) for pair in zip(left, right, strict=True))
    if token is not None and is_masked(left) != is_masked(right):
        masked, value = (left, right) if is_masked(left) else (right, left)
        return bool(masked == token(plain(value)))
    return type(left) is type(right) and bool(left == right)


def value_at(body: Any, pointer: str) -> Any:
    """The value that a pointer leads to; None: there is none."""
    for part in _parts(pointer):
        if isinstance(body, Mapping):
            body = body.get(part)
        elif isinstance(body, list) and _is_index(part) and int(part) < len(body):
            body = body[int(part)]
        else:
            return None
    return body


def _tidy(value: Any) -> Any:
    """Without what says nothing: null, [] and {}; within lists everything stays, for its place counts."""
    if isinstance(value, Mapping):
        kept = {str(name): tidied for name, each in value.items() if (tidied := _tidy(each)) is not None}
        return kept or None
    if isinstance(value, list | tuple):
        return [_tidy(each) for each in value] or None
    return value


def _differences(pointer: str, before: Any, after: Any, token: Token | None) -> Iterator[tuple[str, tuple[Any, Any]]]:
    if same(before, after, token):
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for name in sorted(before.keys() | after.keys()):
            yield from _differences(f"{pointer}/{_escaped(name)}", before.get(name), after.get(name), token)
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for number, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from _differences(f"{pointer}/{number}", old, new, token)
    else:
        yield pointer, (before, after)


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _parts(pointer: str) -> list[str]:
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]


def _is_index(part: str) -> bool:
    return part.isascii() and part.isdecimal() and (part == "0" or not part.startswith("0"))


def _check(changes: Mapping[str, tuple[Any, Any]]) -> None:
    before = None
    for pointer in sorted(changes, key=_parts):
        if not pointer.startswith("/"):
            raise ValueError(f"{pointer!r}: a JSON pointer begins with / (RFC 6901)")
        if before is not None and _parts(pointer)[: len(before)] == before:
            raise ValueError(f"{pointer!r} lies within another changed value: one change a value")
        before = _parts(pointer)
        if holds_token(changes[pointer][1]):
            raise MaskedAfterError(f"{pointer}: its value is masked and can't be written; the value itself is wanted")


def holds_token(value: Any) -> bool:
    """Whether the value, or anything in it, is masked."""
    if isinstance(value, Mapping):
        return any(holds_token(each) for each in value.values())
    if isinstance(value, list | tuple):
        return any(holds_token(each) for each in value)
    return is_masked(value)


def _set(body: Any, parts: list[str], pointer: str, value: Any) -> None:
    """Set, or with None remove. An object on the way that is not there is made."""
    for here, part in enumerate(parts[:-1]):
        if isinstance(body, dict):
            if not isinstance(body.get(part), dict | list):
                if body.get(part) is not None:
                    raise EntityConflictError(f"{pointer}: /{'/'.join(parts[: here + 1])} is no object there")
                body[part] = {}
            body = body[part]
        elif isinstance(body, list) and _is_index(part) and int(part) < len(body):
            body = body[int(part)]
        else:
            raise EntityConflictError(f"{pointer}: the list has no such entry any more")
    last = parts[-1]
    if isinstance(body, dict):
        if value is None:
            body.pop(last, None)
        else:
            body[last] = value
    elif isinstance(body, list) and _is_index(last) and int(last) < len(body):
        body[int(last)] = value
    else:
        raise EntityConflictError(f"{pointer}: the list has no such entry any more")
