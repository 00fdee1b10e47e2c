"""Take back what a window of a feed wrote to holdings, items and patrons: as `undoing`, element by element.

Values before and after are in the vault, sealed (resources.vault.images), and are read for the undo alone. Where a seal can't be
opened any more the ledger has the elements: what is masked there can be compared by its token, and not put back.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import polars as pl

from holdfast.catalogue.entity_patch import holds_token, is_masked, same, value_at
from holdfast.catalogue.undo import Conflict
from holdfast.feeds.elements import FeedKind, masked_elements
from holdfast.feeds.undo import Change, Stays, edited, undo_elements, without
from holdfast.privacy.entities import token_maker
from holdfast.privacy.masking import MaskingRules
from resources.ils.client import Entity, EntityUnit, Ils, Written
from resources.ils.elements import UnknownReference, branches_of, text_of, written
from resources.ils.feeds import KINDS, FeedIls, ReferenceData
from resources.ledger.client import Load
from resources.ledger.committing_entities import EntityCommitter, EntityWriting, token_refused, without_values
from resources.ledger.undoing import Created, Rollback, Taken, UndoLedger, undo_key, written_again
from resources.postgres.client import Postgres
from resources.redis.locks import Locks, of_branch
from resources.vault.images import SealedImages


class UndoWriting(EntityWriting):
    """Befores are the system's own values, as they were when the undo was planned."""

    def write(self, units: Sequence[EntityUnit], live: Mapping[str, Entity]) -> list[Written]:
        settled: list[Written] = []
        ready: list[EntityUnit] = []
        for unit in units:
            if refused := token_refused(unit):
                settled.append(refused)
                continue
            now = live.get(unit.target)
            there = {pointer: value_at(now.body, pointer) for pointer in unit.changes} if now else {}
            moved = [each for each in there if not any(same(there[each], value) for value in unit.changes[each])]
            if moved:
                text = f"{', '.join(moved)}: somebody changed it since the undo was planned"
                settled.append(Written(unit.idempotency_key, "conflicted", answer=text))
                continue
            changes = {pointer: (there.get(pointer), after) for pointer, (_, after) in unit.changes.items()}
            ready.append(dataclasses.replace(unit, changes=changes, version=now.version if now else 0))
        by_key = {each.idempotency_key: each for each in ready}
        answers = self._ils.write_entities(ready, live) if ready else []
        return settled + [
            dataclasses.replace(each, answer=without_values(each.answer, by_key[each.idempotency_key]))
            for each in answers
        ]


class FeedRollback(Rollback):
    """The rollback of one window of a feed.

    Args:
        feed: kind of the feed.
        today: ISO date on which the accounts of patrons end that the window created.
        masked: rules for the images of the undo itself (holdfast.privacy.entities).
        created: as of `Rollback`. Deleted is what nobody changed and on which nothing hangs; a patron is expired, others are
            suppressed.
    """

    def __init__(
        self,
        postgres: Postgres,
        ils: FeedIls,
        load: Load,
        feed: FeedKind,
        salt: bytes,
        locks: Locks,
        images: SealedImages,
        today: dt.date,
        masked: tuple[str, ...],
        *,
        created: Created = "suppress",
        halted: Callable[[], str] = lambda: "",
        chunk_records: int = 100,
    ) -> None:
        super().__init__(
            postgres, cast("Ils", ils), load, MaskingRules(()), salt, locks,
            created=created, halted=halted, chunk_records=chunk_records,
        )  # fmt: skip
        self._kind, self._feed, self._feeds = KINDS[feed], feed, ils
        self._images, self._today, self._masked = images, today.isoformat(), masked
        self._table, self._references = ils.elements[feed], ReferenceData(ils)
        self._token = token_maker(salt)

    # ---- the plan -----------------------------------------------------------------------------------------------------

    def plan(self, rows: Sequence[Mapping[str, Any]]) -> list[Taken]:
        live = self._feeds.fetch_entities(
            self._kind, [row["target"] for row in rows], [row["correlation_id"] for row in rows]
        )
        self._references.learn(self._table, pl.DataFrame(), [each.body for each in live.values()])
        family = self._family(list(dict.fromkeys(row["target"] for row in rows)))
        ours = {each["idempotency_key"]: each for members in family.values() for each in members}
        whole = [ours[row["idempotency_key"]] for row in rows]
        kept = self._not_to_be_deleted([row for row in whole if row["action"] == "create"], live)
        return [
            self._plan_entity(row, live.get(row["target"]), family[row["target"]], kept.get(row["target"], ""))
            for row in whole
        ]

    def _not_to_be_deleted(self, rows: Sequence[Mapping[str, Any]], live: Mapping[str, Entity]) -> dict[str, str]:
        """Target → why; asked only where something is to be deleted."""
        made = [row for row in rows if row["target"] in live]
        if self._created != "delete" or not made:
            return {}
        if self._kind not in self._feeds.capabilities.deletes:
            return {row["target"]: "this library system deletes none" for row in made}
        targets, ids = [row["target"] for row in made], [row["correlation_id"] for row in made]
        versions = [(live[row["target"]], int(row["version_after"] or 0)) for row in made]
        since = min(row["sent_at"] for row in made).isoformat()
        hanging = {target: f"it has {what}" for target, what in self._feeds.in_use(self._feed, targets, ids).items()}
        refused = {
            row["target"]: "the library system refused it"
            for row in made
            if row["idempotency_key"] in self._undeletable
        }
        return self._feeds.changed_since_made(self._feed, versions, since, ids) | hanging | refused

    def _plan_entity(self, row: dict[str, Any], live: Entity | None, family: list[dict[str, Any]], kept: str) -> Taken:
        taken = Taken(row)
        if live is None:
            taken.gone, taken.detail = True, "the record is not in the library system any more"
        elif row["action"] == "create":
            self._plan_created(taken, live, family, kept)
        else:
            self._plan_changed(taken, live, family)
        return taken

    def _plan_changed(self, taken: Taken, live: Entity, family: list[dict[str, Any]]) -> None:
        row = taken.row
        try:
            undone = undo_elements(self._written(row, family), live.body, self._token)
        except LookupError as error:
            taken.state, taken.detail = "cannot", str(error)
            return
        taken.conflicts = [self._shown(each) for each in undone.conflicts]
        taken.masked = [self._shown(each) for each in undone.masked]
        said = [written_again(row, family)]
        if undone.changes:
            taken.undo = "update"
            self._set_unit(taken, live, undone.changes)
        elif taken.masked:
            taken.state = "cannot"
        elif not taken.conflicts:
            taken.gone = True
            said.insert(0, "nothing of it is left")
        if taken.masked:
            said.append(f"{', '.join(each.tag for each in taken.masked)}: not put back, the value before is not known")
        taken.detail = "; ".join(filter(None, said))

    def _plan_created(self, taken: Taken, live: Entity, family: list[dict[str, Any]], kept: str) -> None:
        row, reasons = taken.row, [kept]
        try:
            made = self._own(row)
        except LookupError:
            made = []
            reasons.append("nothing says what it was created with")
        taken.conflicts = [self._shown(each) for each in edited(made, live.body, self._token)]
        if taken.conflicts:
            reasons.append("edited since")
        if any(each["state"] == "acknowledged" and each is not row and not each["undoes"] for each in family):
            reasons.append("written again since by another window")
        why = "; ".join(filter(None, reasons))
        if self._created == "keep":
            taken.state, taken.detail = "kept", "created records are kept by `created: keep`"
        elif self._created == "delete" and not why:
            taken.undo = "delete"
            self._set_unit(taken, live, {each.pointer: (value_at(live.body, each.pointer), None) for each in made})
        else:
            self._put_away(taken, live)
            why = f"not deleted: {why}" if self._created == "delete" else why
        taken.detail = "; ".join(filter(None, (taken.detail, why)))

    def _put_away(self, taken: Taken, live: Entity) -> None:
        """Hidden from the public; of a patron the account ends."""
        if self._feed == "patrons":
            taken.undo, (pointer, value) = "expire", written("expires", self._today, self._table, self._references)
            now = value_at(live.body, pointer)
            ended = bool(now) and text_of(now, self._table["expires"], self._references) <= self._today
        elif self._feed in self._feeds.hidden:
            taken.undo, (pointer, value) = "suppress", self._feeds.hidden[self._feed]
            ended = same(value_at(live.body, pointer), value)
        else:
            taken.state, taken.detail = "cannot", "this library system can't hide it; delete it there"
            return
        if ended:
            taken.undo, taken.detail = (
                "",
                "hidden already" if taken.undo == "suppress" else "the account has ended already",
            )
        else:
            self._set_unit(taken, live, {pointer: (value_at(live.body, pointer), value)})

    def _set_unit(self, taken: Taken, live: Entity, changes: Mapping[str, tuple[Any, Any]]) -> None:
        row = taken.row
        names = {at.pointer: name for name, at in self._table.items()}
        for pointer, (now, before) in changes.items():
            name = names.get(pointer, pointer)
            taken.elements.append((name, self._text(name, now), self._text(name, before)))
        taken.unit = EntityUnit(
            idempotency_key=undo_key(row, taken.undo),
            correlation_id=row["correlation_id"],
            record=row["record"],
            kind=self._kind,
            action="delete" if taken.undo == "delete" else "update",
            target=row["target"],
            version=live.version,
            changes=changes,
            shown={name: (now, before) for name, now, before in taken.elements},
        )

    # ---- what was written -----------------------------------------------------------------------------------------------

    def _written(
        self, row: Mapping[str, Any], family: Sequence[Mapping[str, Any]], until: dt.datetime | None = None
    ) -> list[Change]:
        """What a change wrote, with befores from which earlier changes are gone that were taken back while it stood.

        Raises:
            LookupError: nothing says it.
        """
        changes = self._own(row)
        earlier = [
            each
            for each in family
            if each["state"] == "rolled_back"
            and each["sent_at"] < row["sent_at"] < each["settled_at"]
            and (until is None or each["settled_at"] < until)
            and each["action"] != "create"
        ]
        for each in sorted(earlier, key=lambda other: other["settled_at"]):
            changes = without(changes, self._written(each, family, each["settled_at"]), self._token)
        return changes

    def _own(self, row: Mapping[str, Any]) -> list[Change]:
        sealed = self._images.values(row["sealed"], row["idempotency_key"]) if row["sealed"] else None
        if sealed is None:
            return self._from_ledger(row)
        names = {at.pointer: (name, at.form) for name, at in self._table.items()}
        found = []
        for pointer, (before, after) in sealed.items():
            name, form = names.get(pointer, (pointer, ""))
            found.append(Change(name, pointer, before, after, form))
        return found

    def _from_ledger(self, row: Mapping[str, Any]) -> list[Change]:
        """Open values as they are, tokens for the others."""
        if not row["patch"] or "elements" not in row["patch"]:
            raise LookupError("the ledger has neither image nor elements of it: it was written by an earlier version")
        return [
            Change(
                name,
                self._table[name].pointer,
                self._open(name, before, row["image_before"]),
                self._open(name, after, None),
                self._table[name].form,
            )
            for name, (before, after) in row["patch"]["elements"].items()
        ]

    def _open(self, name: str, text: str | None, image: Mapping[str, Any] | None) -> Any:
        if text is None or is_masked(text):
            return text
        there = value_at(image or {}, self._table[name].pointer)
        if there is not None and not holds_token(there):
            return there
        try:
            return written(name, text, self._table, self._references)[1]
        except UnknownReference as error:
            raise LookupError(f"{error}, which was there before") from error

    # ---- what is shown --------------------------------------------------------------------------------------------------

    def _shown(self, stays: Stays) -> Conflict:
        name = stays.element
        return Conflict(
            name, "", self._text(name, stays.before), self._text(name, stays.written), self._text(name, stays.now)
        )

    def _text(self, name: str, value: Any) -> str | None:
        """As the element says it, masked where it is private."""
        at = self._table.get(name)
        if value in (None, "", []) or is_masked(value):
            return value or None
        text = text_of(value, at, self._references) if at else json.dumps(value, ensure_ascii=False)
        private = name in masked_elements(self._feed) or (at is None and self._feed == "patrons")
        return self._token(text) if private else text

    # ---- doing it -------------------------------------------------------------------------------------------------------

    def _whole_branches(self) -> list[str]:
        """Of what the window wrote: no load changes one of their records while the window is taken back."""
        places, names = self._feeds.branches.get(self._feed, ()), set[str]()
        for rows in self.passes()[:1] if places else ():
            for part in self._parts(rows):
                ids = [row["correlation_id"] for row in part]
                live = self._feeds.fetch_entities(self._kind, [row["target"] for row in part], ids)
                names |= {name for each in live.values() for name in branches_of(each.body, places, self._references)}
        return [of_branch(each) for each in sorted(names)]

    def _committer(self, ledger: UndoLedger, load: Load) -> EntityCommitter:
        writing = UndoWriting(self._feeds, self._feed, "", self._salt, self._references)
        return EntityCommitter(
            writing, ledger, load, self._feed, self._salt, self._locks, self._masked, None,
            chunk_records=self._chunk, progress_records=self._chunk, halted=self._halted,
        )  # fmt: skip
