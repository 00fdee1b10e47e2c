"""Masking of holdings, items and patrons, as JSON: values become the tokens of holdfast.privacy.masking.

Rules are 'kind:/pointer', with * for any entry of a list or any property, as 'item:/circulationNotes/*/note'. What a rule
names is masked whole, with all that is in it. Of a patron everything is masked that is not named as open: a property that
the system invents tomorrow must not leak.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from holdfast.catalogue.entity_patch import Token, is_masked, plain
from holdfast.privacy.masking import token

# Notes for staff, names of staff, prices and what is owed by whom.
MASKED_IN_ENTITIES = (
    "holdings:/notes/*/note",
    "holdings:/administrativeNotes/*",
    "holdings:/holdingsStatements/*/staffNote",
    "holdings:/holdingsStatementsForIndexes/*/staffNote",
    "holdings:/holdingsStatementsForSupplements/*/staffNote",
    "holdings:/metadata/createdByUserId",
    "holdings:/metadata/updatedByUserId",
    "item:/notes/*/note",
    "item:/administrativeNotes/*",
    "item:/circulationNotes/*/note",
    "item:/circulationNotes/*/source",
    "item:/lastCheckIn/staffMemberId",
    "item:/metadata/createdByUserId",
    "item:/metadata/updatedByUserId",
)
# Says nothing of who it is.
OPEN_IN_PATRONS = (
    "/active",
    "/type",
    "/patronGroup",
    "/departments",
    "/enrollmentDate",
    "/expirationDate",
    "/metadata/createdDate",
    "/metadata/updatedDate",
)


def token_maker(salt: bytes) -> Token:
    """Makes the token of a plain text."""
    return partial(token, salt=salt)


def mask_entity(
    kind: str, body: Mapping[str, Any], salt: bytes, rules: tuple[str, ...] = MASKED_IN_ENTITIES
) -> dict[str, Any]:
    """The record with its masked values replaced; `body` is left as it is. kind: 'holdings', 'item' or 'patron'."""
    make = token_maker(salt)
    if kind == "patron":
        open_ = [tuple(each.split("/")[1:]) for each in OPEN_IN_PATRONS]
        return dict(_mask_all_but(body, (), open_, make))
    patterns = [tuple(each.partition(":")[2].split("/")[1:]) for each in rules if each.startswith(f"{kind}:")]
    return dict(_mask_named(body, patterns, make))


def _masked(value: Any, make: Token) -> Any:
    """Every value in it replaced; what is a token already, and what is not there, stays."""
    if isinstance(value, Mapping):
        return {name: _masked(each, make) for name, each in value.items()}
    if isinstance(value, list):
        return [_masked(each, make) for each in value]
    return value if value is None or is_masked(value) else make(plain(value))


def _mask_named(value: Any, patterns: list[tuple[str, ...]], make: Token) -> Any:
    if () in patterns:
        return _masked(value, make)
    if not patterns:
        return value
    if isinstance(value, Mapping):
        return {name: _mask_named(each, _below(patterns, str(name)), make) for name, each in value.items()}
    if isinstance(value, list):
        return [_mask_named(each, _below(patterns, str(number)), make) for number, each in enumerate(value)]
    return value


def _below(patterns: list[tuple[str, ...]], name: str) -> list[tuple[str, ...]]:
    return [each[1:] for each in patterns if each and each[0] in ("*", name)]


def _mask_all_but(value: Any, path: tuple[str, ...], open_: list[tuple[str, ...]], make: Token) -> Any:
    if path in open_:
        return value
    if isinstance(value, Mapping):
        return {name: _mask_all_but(each, (*path, str(name)), open_, make) for name, each in value.items()}
    if isinstance(value, list):
        return [_mask_all_but(each, (*path, "*"), open_, make) for each in value]
    return _masked(value, make)
