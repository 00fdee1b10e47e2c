"""The Committer for holdings, items and patrons: the same locks, ledger, doubts and fences, another thing that is written.

A unit's befores are as the plan has them: elements, masked. They are compared with the live record here, as elements, and
only then does the adapter get the values that are there now: what it compares, and what its system refuses by version, is the
moment between this reading and its writing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import polars as pl

from holdfast.catalogue.entity_patch import holds_token, same, value_at
from holdfast.feeds.elements import FeedKind, masked_elements
from holdfast.privacy.entities import mask_entity
from holdfast.privacy.masking import MaskingRules, token
from resources.ils.client import Capabilities, Entity, EntityUnit, Fields, Ils, LiveRecord, Unit, Written
from resources.ils.elements import branches_of, elements_of
from resources.ils.feeds import KINDS, FeedIls, ReferenceData
from resources.ledger.client import Claim, Ledger, Load, Under
from resources.ledger.commit import Committer, Identifiers
from resources.redis.locks import Locks, of_branch, of_identifier, of_record
from resources.vault.images import SealedImages, Values

KeyOf = Mapping[str, str]
"""Idempotency key → the key by which the record is found, unmasked: for memory only."""


class EntityWriting:
    """An `Ils` of one kind of entity, as the Committer wants it: a live record is an Entity, a unit an EntityUnit.

    `keys` is filled by who commits, before it does.
    """

    def __init__(self, ils: FeedIls, kind: FeedKind, key: str, salt: bytes, references: ReferenceData) -> None:
        self.name = ils.name
        self._ils, self._kind, self._key, self._salt = ils, kind, key, salt
        self._references = references
        own = ils.capabilities
        # The adapter reads back by itself what its system has no version of.
        chosen = KINDS[kind] in own.chosen_ids
        self.capabilities = Capabilities(
            reads=frozenset({"bib"}),
            writes=frozenset({"bib"}),
            compares=frozenset({"bib"}),
            chosen_ids=frozenset({"bib"} if chosen else ()),
        )
        self.keys: dict[str, str] = {}

    def fetch(self, targets: Sequence[str], correlation_ids: Sequence[str]) -> dict[str, Entity]:
        return self._ils.fetch_entities(KINDS[self._kind], targets, correlation_ids)

    def find_created(self, units: Sequence[EntityUnit]) -> dict[str, Entity]:
        """By the key that they were to get, of which a system has one."""
        keys = {each.idempotency_key: self.keys[each.idempotency_key] for each in units}
        ids = [each.correlation_id for each in units]
        found = self._ils.find_entities(self._kind, self._key, list(keys.values()), ids)
        return {unit: found[key][0] for unit, key in keys.items() if found.get(key)}

    def write(self, units: Sequence[EntityUnit], live: Mapping[str, Entity]) -> list[Written]:
        settled: list[Written] = []
        ready: list[EntityUnit] = []
        self._learn(live)
        for unit in units:
            now = live.get(unit.target)
            if refused := token_refused(unit):
                settled.append(refused)
            elif now is None or unit.action == "create":
                ready.append(unit)
            else:
                changes, changed = self._on_what_is_there(unit, now)
                if changed:
                    text = f"{', '.join(changed)}: somebody changed it since it was planned"
                    settled.append(Written(unit.idempotency_key, "conflicted", answer=text))
                else:
                    ready.append(dataclasses.replace(unit, changes=changes, version=now.version))
        by_key = {each.idempotency_key: each for each in units}
        written = self._ils.write_entities(ready, live) if ready else []
        return settled + [
            dataclasses.replace(each, answer=without_values(each.answer, by_key[each.idempotency_key]))
            for each in written
        ]

    def _learn(self, live: Mapping[str, Entity]) -> None:
        self._references.learn(self._ils.elements[self._kind], pl.DataFrame(), [each.body for each in live.values()])

    def values(self, units: Sequence[EntityUnit], live: Mapping[str, Entity]) -> dict[str, Values]:
        """What each unit finds and writes, in clear, by idempotency key."""
        self._learn(live)
        found: dict[str, Values] = {}
        for unit in units:
            now = live.get(unit.target) if unit.action == "update" else None
            new = {pointer: (None, after) for pointer, (_, after) in unit.changes.items()}
            found[unit.idempotency_key] = new if now is None else self._on_what_is_there(unit, now)[0]
        return found

    def branches(self, units: Sequence[EntityUnit]) -> dict[str, list[str]]:
        """Idempotency key → branches that the record belongs to, and is to belong to."""
        places = self._ils.branches.get(self._kind, ())
        if not places or not units:
            return {}
        old = [each for each in units if each.action != "create"]
        live = self.fetch([each.target for each in old], [each.correlation_id for each in old])
        found: dict[str, list[str]] = {}
        for unit in units:
            after = {pointer.lstrip("/"): value for pointer, (_, value) in unit.changes.items()}
            bodies = [after, *([live[unit.target].body] if unit.target in live else [])]
            names = {name for body in bodies for name in branches_of(body, places, self._references)}
            found[unit.idempotency_key] = sorted(names)
        return found

    def _on_what_is_there(self, unit: EntityUnit, now: Entity) -> tuple[dict[str, tuple[Any, Any]], list[str]]:
        """(the changes with what is there as befores, elements that are neither as planned nor as they are to become)."""
        table, masked = self._ils.elements[self._kind], masked_elements(self._kind)
        elements = {at.pointer: (name, at.form) for name, at in table.items()}
        there = elements_of(now.body, table, self._references)
        changes: dict[str, tuple[Any, Any]] = {}
        changed: list[str] = []
        for pointer, (before, after) in unit.changes.items():
            (name, form), value = elements[pointer], value_at(now.body, pointer)
            if form == "first" and isinstance(value, list):
                after = [*after, *value[1:]]  # the other entries are nothing that the feed speaks of
            found = there.get(name)
            if found is not None and name in masked:
                found = token(found, self._salt)
            if found != before and not same(value, after):
                changed.append(name)
            changes[pointer] = (value, after)
        return changes, changed


def token_refused(unit: EntityUnit) -> Written | None:
    """A token stands for a value and is none: whatever made such a unit, it is not written."""
    masked = [pointer for pointer, (_, after) in unit.changes.items() if holds_token(after)]
    text = f"{', '.join(masked)}: its value is masked and can't be written; the value itself is wanted"
    return Written(unit.idempotency_key, "failed", answer=text) if masked else None


def without_values(answer: str, unit: EntityUnit) -> str:
    """What a system says can repeat what it was sent: of the values of a unit none is kept."""
    values = sorted((str(after) for _, after in unit.changes.values()), key=len, reverse=True)
    for value in values:
        if len(value) > 1:
            answer = answer.replace(value, "…")
    return answer


class EntityCommitter(Committer):
    """Writes the units of one load of a feed. Units are EntityUnits with befores as elements.

    Args:
        masked: rules for the images before (holdfast.privacy.entities).
        images: gets what is found and written, sealed, before anything is sent; None: no undo will want it.
    """

    def __init__(
        self,
        writing: EntityWriting,
        ledger: Ledger,
        load: Load,
        kind: FeedKind,
        salt: bytes,
        locks: Locks,
        masked: tuple[str, ...],
        images: SealedImages | None,
        *,
        chunk_records: int,
        progress_records: int,
        total: int = 0,
        halted: Callable[[], str] = lambda: "",
    ) -> None:
        self._masked, self._images = masked, images
        self._entities, self._kind = writing, KINDS[kind]
        self._branches: dict[str, list[str]] = {}
        super().__init__(
            cast("Ils", self._entities),
            ledger,
            load,
            MaskingRules(()),
            salt,
            locks,
            chunk_records=chunk_records,
            progress_records=progress_records,
            total=total,
            halted=halted,
        )

    def commit_entities(
        self, units: Sequence[EntityUnit], contents: dict[str, str], keys: KeyOf, tokens: KeyOf
    ) -> list[Written]:
        """As `commit`. `tokens`: idempotency key → key as the ledger and Redis may have it."""
        self._entities.keys = dict(keys)
        self._branches = self._entities.branches(units)
        identifiers = {
            each.idempotency_key: [(f"{self._kind} key", tokens[each.idempotency_key])]
            for each in units
            if each.action == "create"
        }
        return list(self.commit(cast("list[Unit]", list(units)), contents, identifiers, self._made))

    def _made(self, units: Sequence[Unit], claims: Sequence[Claim]) -> dict[str, str]:
        """New records that another window made, or may have made, and that are there."""
        ids = {each.idempotency_key: each.correlation_id for each in units}
        known = sorted({each.target for each in claims if each.target})
        live = self._entities.fetch(known, [ids[each.idempotency_key] for each in claims][:1]) if known else {}
        return {
            each.idempotency_key: f"window {each.partition} made {each.target or 'a record'} with this key since it was planned"
            for each in claims
            if each.state == "sent" or each.target in live
        }

    def _names(self, unit: Unit, identifiers: Identifiers) -> list[str]:
        own = [of_identifier(*each) for each in identifiers.get(unit.idempotency_key, ())]
        return [*([of_record(self._kind, unit.target)] if unit.target else []), *own]

    def _branches_of(self, unit: Unit) -> list[str]:
        return [of_branch(each) for each in self._branches.get(unit.idempotency_key, ())]

    def _send(self, units: Sequence[Unit], live: Mapping[str, LiveRecord], under: Under) -> None:
        images = {each.idempotency_key: self._image(live.get(each.target), each) for each in units}
        sealed = None
        if self._images is not None:
            entities = cast("Mapping[str, Entity]", live)
            sealed = self._images.seal(self._entities.values(cast("Sequence[EntityUnit]", units), entities))
        self._ledger.send(self._load.ils, images, under, sealed)

    def _hidden(self, units: Sequence[Unit], live: Mapping[str, LiveRecord]) -> list[str]:
        return []  # whether a holdings record or an item is hidden is an element like any other

    def _image(self, live: LiveRecord | None, unit: Unit) -> Fields | None:
        if unit.action == "create" or live is None:
            return None
        entity = cast("Entity", live)
        return cast("Fields", mask_entity(entity.kind, entity.body, self._salt, self._masked))
