"""The minimal patch from a live record to an incoming one, and its application.

A patch is a list of whole fields to delete and to add: what both records have, in whatever order, is in neither. Fields
with masked values, protected fields and the system's own (999 ff) are in no patch: they stay as they are.
"""

from __future__ import annotations

import unicodedata

import polars as pl

from holdfast.catalogue.fields import BOOKKEEPING, DELIMITER, comparable
from holdfast.privacy.masking import PREFIX

PATCHES = pl.Schema(
    {
        "record": pl.UInt32,
        "op": pl.String,  # 'delete' or 'add'
        "field": pl.Int32,  # order in the record that the field is from
        "tag": pl.String,
        "text": pl.String,
    }
)

CHANGES = pl.Schema(
    {
        "record": pl.UInt32,
        "kind": pl.String,  # 'added', 'removed' or 'changed'
        "tag": pl.String,
        "indicators": pl.String,
        "code": pl.String,  # '' for control fields and the leader
        "before": pl.String,
        "after": pl.String,
    }
)


class PatchConflictError(ValueError):
    """The live record no longer has a field that the patch deletes."""


def _protects(protected: tuple[str, ...]) -> pl.Expr:
    answer = pl.lit(False)
    for spec in protected:
        answer |= pl.col("tag").str.contains("^" + spec[:3].replace("X", ".") + "$")
    return answer


def _numbered(fields: pl.DataFrame, protected: tuple[str, ...]) -> pl.DataFrame:
    """Comparable fields with their number among equal ones of the record: two equal notes are two fields."""
    rows = comparable(fields).filter(~_protects(protected))
    return rows.with_columns(pl.int_range(pl.len()).over("record", "tag", "key").alias("nth"))


def diff(live: pl.DataFrame, incoming: pl.DataFrame, protected: tuple[str, ...] = ()) -> pl.DataFrame:
    """Patches (shape PATCHES) that make the live fields the incoming ones; both have the shape fields.FIELDS.

    A record without rows in the result would not change. 005 follows where something else changes. Where the incoming record
    has a masked value in a tag, the live fields of that tag stay: one of them may be the same field, and it can't be told which.
    """
    veiled = incoming.filter("masked").select("record", "tag").unique()
    before, after = _numbered(live, protected), _numbered(incoming, protected)
    same = ["record", "tag", "key", "nth"]
    deletes = before.join(after, on=same, how="anti").join(veiled, on=["record", "tag"], how="anti")
    deletes = deletes.with_columns(pl.lit("delete").alias("op"))
    adds = after.join(before, on=same, how="anti").with_columns(pl.lit("add").alias("op"))
    patches = pl.concat([deletes, adds]).select(PATCHES.names()).cast(PATCHES)
    touched = patches.select("record").unique()
    dates = [
        frame.filter(pl.col("tag") == "005").join(touched, on="record", how="semi").with_columns(pl.lit(op).alias("op"))
        for frame, op in (
            (live.join(incoming.filter(pl.col("tag") == "005"), on="record", how="semi"), "delete"),
            (incoming, "add"),
        )
    ]
    # `field` numbers of the two records are their own; in the order of a patch they only have to keep each one's order.
    whole = pl.concat([patches, *(frame.select(PATCHES.names()).cast(PATCHES) for frame in dates)])
    return whole.sort("record", "field", "op", descending=[False, False, True])


def additions(incoming: pl.DataFrame) -> pl.DataFrame:
    """Patches that create the incoming records, without their masked subfields, and without fields that have no other."""
    public = pl.col("text").str.replace_all(DELIMITER + "." + PREFIX + "[0-9a-f]{64}", "")
    rows = incoming.with_columns(pl.when("masked").then(public).otherwise("text").alias("text"))
    rows = rows.filter(~pl.col("masked") | pl.col("text").str.contains(DELIMITER))
    return rows.with_columns(pl.lit("add").alias("op")).select(PATCHES.names()).cast(PATCHES)


def _subfields(text: str) -> list[tuple[str, str]]:
    return [(piece[:1], piece[1:]) for piece in text[2:].split(DELIMITER)[1:]]


def _field_changes(
    tag: str, before: str | None, after: str | None
) -> list[tuple[str, str, str, str, str | None, str | None]]:
    """(kind, tag, indicators, code, before, after) a subfield that differs; the n-th $a is compared with the n-th $a."""
    kind = "changed" if before is not None and after is not None else "added" if before is None else "removed"
    if tag == "LDR" or tag.startswith("00"):
        return [(kind, tag, "", "", before, after)]
    indicators = (after if after is not None else before or "")[:2]
    old, new = _subfields(before or ""), _subfields(after or "")
    keys: dict[tuple[str, int], list[str | None]] = {}
    for side, pieces in enumerate((old, new)):
        seen: dict[str, int] = {}
        for code, value in pieces:
            seen[code] = seen.get(code, 0) + 1
            keys.setdefault((code, seen[code]), [None, None])[side] = value
    rows = [(kind, tag, indicators, code, pair[0], pair[1]) for (code, _), pair in keys.items() if pair[0] != pair[1]]
    if before is not None and after is not None and before[:2] != after[:2]:
        rows.insert(0, (kind, tag, indicators, "ind", before[:2], after[:2]))
    return rows


def changes_of(patches: pl.DataFrame) -> pl.DataFrame:
    """The patches as a person reads them: before and after of each subfield (shape CHANGES).

    A deleted and an added field of the same tag, in their order, are one changed field.
    """
    paired = patches.with_columns(pl.int_range(pl.len()).over("record", "tag", "op").alias("nth"))
    sides = [
        paired.filter(pl.col("op") == op).select(
            "record", "tag", "nth", pl.col("text").alias(name), pl.col("field").alias(f"at_{name}")
        )
        for op, name in (("delete", "before"), ("add", "after"))
    ]
    both = sides[0].join(sides[1], on=["record", "tag", "nth"], how="full", coalesce=True)
    both = both.sort("record", pl.coalesce("at_after", "at_before"), "tag", "nth")
    rows = [
        (record, *each)
        for record, tag, before, after in both.select("record", "tag", "before", "after").iter_rows()
        for each in _field_changes(tag, before, after)
    ]
    return pl.DataFrame(rows, schema=CHANGES, orient="row")


def apply_patch(
    live: list[tuple[str, str]], deletes: list[tuple[str, str]], adds: list[tuple[str, str]]
) -> list[tuple[str, str]]:
    """Fields of the live record with the patch applied; an added field comes where the deleted one of its tag was, else
    after the last field with a tag not above its own.

    Raises:
        PatchConflictError: a field to delete is not there any more.
    """
    fields: list[tuple[str, str]] = list(live)
    holes: dict[str, list[int]] = {}
    marker = ("", "")
    for tag, text in deletes:
        wanted = unicodedata.normalize("NFC", text)
        for position, (have, value) in enumerate(fields):
            if have == tag and unicodedata.normalize("NFC", value) == wanted:
                fields[position] = marker
                holes.setdefault(tag, []).append(position)
                break
        else:
            raise PatchConflictError(f"the live record has no field {tag} as it was planned to change")
    later: list[tuple[str, str]] = []
    for tag, text in adds:
        waiting = holes.get(tag)
        if waiting:
            fields[waiting.pop(0)] = (tag, text)
        else:
            later.append((tag, text))
    fields = [each for each in fields if each != marker]
    for tag, text in later:
        order = "000" if tag == "LDR" else tag
        at = len(fields)
        while at and ("000" if fields[at - 1][0] == "LDR" else fields[at - 1][0]) > order:
            at -= 1
        fields.insert(at, (tag, text))
    return fields


def reverse(
    deletes: list[tuple[str, str]], adds: list[tuple[str, str]]
) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """The patch that takes this one back: what was deleted is added, what was added is deleted."""
    return adds, deletes


__all__ = [
    "BOOKKEEPING",
    "CHANGES",
    "PATCHES",
    "PatchConflictError",
    "additions",
    "apply_patch",
    "changes_of",
    "diff",
    "reverse",
]
