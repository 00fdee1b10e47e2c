"""Take back what a window wrote: planned against the live records first, then written through the ledger like any change.

An undo is a unit of its own with a key made from the key of the change that it takes back, so that a run that is killed is
gone on with and nothing is undone twice. It is planned on the live record as it is now and written only onto that one.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, cast

from holdfast.catalogue.patch import PatchConflictError
from holdfast.catalogue.undo import Conflict, image_after, undo, undo_on_image
from holdfast.identity import named_parts
from holdfast.privacy.masking import PREFIX, MaskingRules
from resources.ils.client import EntityUnit, Fields, Ils, Kind, LiveRecord, Unit, Written, source_record_id
from resources.ledger.client import Ledger, Load, Prepared
from resources.ledger.commit import Committer, mask_fields
from resources.ledger.replaying import Order, Recoveries
from resources.postgres.client import Postgres
from resources.redis.locks import Locks, of_window

log = logging.getLogger("holdfast.rollback")

Created = Literal["suppress", "delete", "keep"]
_CHUNK = 100
_TRIES = 4
_PATIENCE_SECONDS = 65.0  # for a run that died to leave its lock
_WHO_OF = 500  # records with conflicts of which the library system is asked who changed them


@dataclass
class Taken:
    """A ledger row and how it is taken back. What is shown of it is masked, the unit is not."""

    row: dict[str, Any]
    undo: str = ""
    unit: Unit | EntityUnit | None = None
    deletes: Fields = field(default_factory=list)
    adds: Fields = field(default_factory=list)
    conflicts: list[Conflict] = field(default_factory=list)
    elements: list[tuple[str, str | None, str | None]] = field(
        default_factory=list
    )  # of a feed: (element, now, before)
    gone: bool = False  # of a feed: the library system has nothing of it any more
    masked: list[Conflict] = field(default_factory=list)  # of which the value before is not known
    state: str = "planned"
    detail: str = ""
    changed: tuple[str, str] = ("", "")  # (user, when) of the last change before the undo, of a record with conflicts

    @property
    def stays(self) -> list[tuple[Conflict, str]]:
        """What is not put back, and why: rows of STAYS."""
        return [(each, "edited") for each in self.conflicts] + [(each, "masked") for each in self.masked]


def undo_key(row: Mapping[str, Any], action: str) -> str:
    """Key of the undo of a ledger row: the same in every attempt, another one once the change was written anew."""
    parts = named_parts(undo_of=row["idempotency_key"], round=row["round"], action=action)
    return hashlib.sha256(parts).hexdigest()


def window_of_undo(partition: str) -> str:
    """Where the ledger keeps the undos of a window: not among its own changes."""
    return f"rollback of {partition}"


class UndoLedger(Ledger):
    """Keeps the patches of undos masked, and which change each takes back."""

    def __init__(self, postgres: Postgres, rules: MaskingRules, salt: bytes) -> None:
        super().__init__(postgres)
        self._rules, self._salt = rules, salt
        self.undoes: dict[str, str] = {}

    def prepare(self, load: Load, units: Sequence[Any], *args: Any, **kwargs: Any) -> dict[str, Prepared]:
        masked = [self._masked(each) for each in units]
        prepared = super().prepare(load, masked, *args, **kwargs)
        keys = [each.idempotency_key for each in units]
        with self._postgres.transaction() as connection:
            connection.execute(
                "UPDATE ledger SET undoes = given.undoes FROM unnest(%s::text[], %s::text[]) AS given (key, undoes) "
                "WHERE ils = %s AND idempotency_key = given.key AND ledger.undoes IS NULL",
                [keys, [self.undoes[key] for key in keys], load.ils],
            )
        return prepared

    def _masked(self, unit: Unit | EntityUnit) -> Unit | EntityUnit:
        """As the ledger may have it; of an entity it keeps only what may be shown."""
        if isinstance(unit, EntityUnit):
            return unit
        deletes, adds = (mask_fields(each, self._rules, self._salt) for each in (unit.deletes, unit.adds))
        return replace(unit, deletes=deletes, adds=adds)


class Rollback:
    """The rollback of one window.

    Args:
        created: what becomes of records that the window created. 'delete': where nobody edited them and the system can;
            else they are suppressed.
        halted: asked before each chunk; why it may not write, or ''.
    """

    def __init__(
        self,
        postgres: Postgres,
        ils: Ils,
        load: Load,
        rules: MaskingRules,
        salt: bytes,
        locks: Locks,
        *,
        created: Created = "suppress",
        halted: Callable[[], str] = lambda: "",
        chunk_records: int = _CHUNK,
    ) -> None:
        self._postgres, self._ils, self._load = postgres, ils, load
        self._rules, self._salt, self._created, self._chunk = rules, salt, created, chunk_records
        self._halted, self._locks = halted, locks
        self._kind: Kind = "bib"
        self._undeletable: set[str] = set()  # keys of records that the system did not delete: they are hidden
        self._recoveries = Recoveries(postgres)

    # ---- what there is ------------------------------------------------------------------------------------------------

    def passes(self) -> list[list[dict[str, Any]]]:
        """Keys and targets of what the window has written, newest first; each pass has a record of the catalogue once."""
        with self._postgres.transaction() as connection:
            rows = connection.execute(
                "SELECT idempotency_key, correlation_id, target, record FROM ledger WHERE ils = %s AND source = %s AND partition = %s "
                "AND state = 'acknowledged' AND undoes IS NULL AND kind = %s ORDER BY sent_at DESC, record DESC",
                [self._load.ils, self._load.source, self._load.partition, self._kind],
            ).fetchall()
        passes: list[list[dict[str, Any]]] = []
        times: dict[str, int] = {}
        for row in rows:
            number = times[row["target"]] = times.get(row["target"], -1) + 1
            if number == len(passes):
                passes.append([])
            passes[number].append(row)
        return passes

    def _family(self, targets: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
        """All that was ever written to these records, by whichever window, oldest first."""
        return family_of(self._postgres, self._load.ils, targets, self._kind)

    # ---- the plan -----------------------------------------------------------------------------------------------------

    def plan(self, rows: Sequence[Mapping[str, Any]]) -> list[Taken]:
        """How each of these is taken back, by the live records as they are now."""
        targets = list(dict.fromkeys(row["target"] for row in rows))
        family = self._family(targets)
        ours = {each["idempotency_key"]: each for members in family.values() for each in members}
        correlations = [ours[row["idempotency_key"]]["correlation_id"] for row in rows]
        live = self._ils.fetch([row["target"] for row in rows], correlations)
        return [
            self._plan_one(ours[row["idempotency_key"]], live.get(row["target"]), family[row["target"]]) for row in rows
        ]

    def _plan_one(self, row: dict[str, Any], live: LiveRecord | None, family: list[dict[str, Any]]) -> Taken:
        taken = Taken(row)
        undos = {each["idempotency_key"]: each["state"] for each in family if each["undoes"] == row["idempotency_key"]}
        if live is None:
            taken.detail = "the record is not in the library system any more"
            return taken
        if any(live.source_id == source_record_id(key) for key in undos):
            taken.detail = "an earlier run took it back"
            return taken
        if row["action"] == "create":
            return self._hide(taken, live, family, begun="sent" in undos.values())
        try:
            before, after = images(row, family)
        except (PatchConflictError, LookupError) as error:
            taken.state, taken.detail = "cannot", str(error)
            return taken
        masked = mask_fields(live.fields, self._rules, self._salt)
        undone = undo(before, after, masked)
        taken.deletes, taken.adds, taken.conflicts = undone.deletes, undone.adds, undone.conflicts
        shown = row["action"] == "suppress" and live.suppressed and not row["suppressed_before"]
        if undone.deletes or undone.adds or shown:
            taken.undo = "unsuppress" if shown else "update"
            try:
                deletes, adds = self._unmasked(undone.deletes, undone.adds, live.fields, masked)
            except LookupError as error:
                taken.state, taken.detail, taken.undo = "cannot", str(error), ""
                return taken
            taken.unit = self._unit(row, live, taken.undo, deletes, adds)
        else:
            taken.detail = "nothing of it is left"
        taken.detail = "; ".join(part for part in (taken.detail, written_again(row, family)) if part)
        return taken

    def _hide(self, taken: Taken, live: LiveRecord, family: list[dict[str, Any]], *, begun: bool) -> Taken:
        row, unknown = taken.row, not taken.row["patch"]  # written before the ledger kept patches
        edited = [] if unknown else _edited(row, mask_fields(live.fields, self._rules, self._salt))
        again = any(each["state"] == "acknowledged" and each is not row and not each["undoes"] for each in family)
        can_delete = "bib" in self._ils.capabilities.deletes and row["idempotency_key"] not in self._undeletable
        if self._created == "keep":
            taken.state, taken.detail = "kept", "created records are kept by `created: keep`"
        elif self._created == "delete" and can_delete and not edited and not again and not unknown:
            taken.undo = "delete"
        elif not self._ils.capabilities.suppresses:
            taken.state, taken.detail = "cannot", "this library system can't hide a record; delete it there"
        elif live.suppressed and not begun:
            taken.detail = "somebody has suppressed it already"
        else:
            taken.undo = "suppress"
        if edited or again or unknown:
            why = "written again since by another window" if again else "nothing says what it was created with"
            why = "edited since" if edited else why
            taken.detail = "; ".join(part for part in (taken.detail, why) if part)
            taken.conflicts = edited
        if taken.undo:
            taken.unit = self._unit(row, live, taken.undo, [], [])
        return taken

    def _unit(self, row: Mapping[str, Any], live: LiveRecord, action: str, deletes: Fields, adds: Fields) -> Unit:
        return Unit(
            undo_key(row, action), row["correlation_id"], row["record"], action, row["target"], live.version, live.source_id,
            deletes=deletes, adds=adds,
        )  # fmt: skip

    def _unmasked(self, deletes: Fields, adds: Fields, live: Fields, masked: Fields) -> tuple[Fields, Fields]:
        """The patch with the live values for their tokens.

        Raises:
            LookupError: a masked value that would be put back is not in the live record.
        """
        texts: dict[tuple[str, str], list[tuple[str, str]]] = {}
        values: dict[str, str] = {}
        for plain, veiled in zip(live, masked, strict=True):
            texts.setdefault(veiled, []).append(plain)
            if plain != veiled:
                pairs = zip(plain[1][2:].split("\x1f")[1:], veiled[1][2:].split("\x1f")[1:], strict=True)
                values |= {token[1:]: value[1:] for value, token in pairs if value != token}
        plain_deletes = [texts[each].pop(0) if texts.get(each) else each for each in deletes]
        plain_adds: Fields = []
        for tag, text in adds:
            if tag == "LDR" or tag.startswith("00"):
                plain_adds.append((tag, text))
                continue
            pieces = text[2:].split("\x1f")[1:]
            lost = [each for each in pieces if each[1:].startswith(PREFIX) and each[1:] not in values]
            if lost:
                raise LookupError(
                    f"a masked value of {tag} ${lost[0][:1]} is not in the live record any more: restore it by hand"
                )
            whole = "".join("\x1f" + each[:1] + values.get(each[1:], each[1:]) for each in pieces)
            plain_adds.append((tag, text[:2] + whole))
        return plain_deletes, plain_adds

    # ---- doing it -----------------------------------------------------------------------------------------------------

    def _parts(self, rows: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
        for at in range(0, len(rows), self._chunk):
            yield rows[at : at + self._chunk]

    def preview(self) -> Iterator[list[Taken]]:
        """The plan, part by part; nothing is written. Of a record that the window wrote twice only the newest is shown against
        the live record; the one before it follows on what that leaves."""
        for rows in self.passes():
            for part in self._parts(rows):
                planned = self.plan(part)
                self._ask_who_changed(planned)
                yield planned

    def apply(self, order: Order) -> Iterator[list[Taken]]:
        """Take back, part by part; the ledger's rows become `rolled_back`.

        Raises:
            IlsDownError: the system does not answer: what is not taken back stays, and another run goes on.
            HaltedError: somebody halted it since; likewise.
            BusyError: another run is writing this window.
        """
        ledger = UndoLedger(self._postgres, self._rules, self._salt)
        load = replace(self._load, partition=window_of_undo(self._load.partition))
        names = [of_window(self._load.source, self._load.partition), *self._whole_branches()]
        with self._locks.wait_for(names, _PATIENCE_SECONDS, only_the_dead=True):
            committer = self._committer(ledger, load)
            for rows in self.passes():
                for part in self._parts(rows):
                    yield self._take_back(part, ledger, committer, order)

    def _whole_branches(self) -> Sequence[str]:
        """Locks of branches that nobody else may change a record of meanwhile; a bibliographic record belongs to none."""
        return ()

    def _committer(self, ledger: UndoLedger, load: Load) -> Committer:
        return Committer(
            self._ils,
            ledger,
            load,
            self._rules,
            self._salt,
            self._locks,
            chunk_records=self._chunk,
            halted=self._halted,
        )

    def _take_back(
        self, rows: Sequence[Mapping[str, Any]], ledger: UndoLedger, committer: Committer, order: Order
    ) -> list[Taken]:
        done: dict[str, Taken] = {}
        todo = list(rows)
        for _ in range(_TRIES):
            planned = self.plan(todo)
            self._ask_who_changed(planned)  # before the undo is itself the last to have changed it
            done |= {each.row["idempotency_key"]: each for each in planned}
            units = {each.unit.idempotency_key: each for each in planned if each.unit}
            ledger.undoes |= {key: each.row["idempotency_key"] for key, each in units.items()}
            contents = {key: hashlib.sha256(f"undo {key}".encode()).hexdigest() for key in units}
            for written in committer.commit([cast("Unit", each.unit) for each in units.values()], contents):
                units[written.idempotency_key].state = (
                    "rolled_back" if written.state == "acknowledged" else written.state
                )
                if written.state != "acknowledged":
                    units[written.idempotency_key].detail = written.answer
            for each in planned:
                if not each.unit and each.state == "planned":
                    each.state = "rolled_back"
            self._settle([each for each in planned if each.state == "rolled_back"], order)
            # Somebody was at the record meanwhile: it is looked at anew. What can't be deleted is hidden instead.
            todo = [
                each.row
                for each in planned
                if each.state == "conflicted" or (each.undo, each.state) == ("delete", "failed")
            ]
            self._undeletable |= {
                each.row["idempotency_key"] for each in planned if (each.undo, each.state) == ("delete", "failed")
            }
            if not todo:
                break
        return list(done.values())

    def _settle(self, taken: Sequence[Taken], order: Order) -> None:
        answers = {each.row["idempotency_key"]: ("rolled_back", each.detail or _said(each)) for each in taken}
        self._recoveries.settle(self._load.ils, "rolled_back", answers, order, only=["acknowledged"])
        doubtful = [key for each in taken for key in self._undos_of(each)]
        if doubtful:
            Ledger(self._postgres).settle(
                self._load.ils, [Written(key, "acknowledged", answer="found written") for key in doubtful]
            )

    def _undos_of(self, taken: Taken) -> list[str]:
        """Undos of the change that an earlier run sent and did not settle, where nothing was left to be written."""
        if taken.unit:
            return []
        with self._postgres.transaction() as connection:
            found = connection.execute(
                "SELECT idempotency_key FROM ledger WHERE ils = %s AND undoes = %s AND state IN ('sent', 'prepared')",
                [self._load.ils, taken.row["idempotency_key"]],
            )
            return [row["idempotency_key"] for row in found]

    def _ask_who_changed(self, taken: Sequence[Taken]) -> None:
        """By the library system's own audit."""
        asked = [each for each in taken if each.conflicts][:_WHO_OF]
        if not asked or self._kind not in self._ils.capabilities.audit:
            return
        since = min(each.row["sent_at"] for each in asked).isoformat()
        last: dict[str, tuple[str, str]] = {}
        for entry in self._ils.audit(self._kind, [each.row["target"] for each in asked], since):
            if entry.at >= last.get(entry.target, ("", ""))[1]:
                last[entry.target] = (entry.user, entry.at)
        for each in asked:
            each.changed = last.get(each.row["target"], ("", ""))


def _said(taken: Taken) -> str:
    stays = f"; {len(taken.conflicts)} values were edited since and stay" if taken.conflicts else ""
    return f"taken back ({taken.undo}){stays}"


def _edited(row: Mapping[str, Any], live: Fields) -> list[Conflict]:
    """What of a created record is not as it was created. The system's numbers and dates are its own."""
    own = ("001", "003", "005", "LDR")
    made = [(tag, text) for tag, text in row["patch"]["adds"] if tag not in own]
    found = [each for each in live if each[0] not in own and not (each[0] == "999" and each[1].startswith("ff"))]
    undone = undo(made, found, found)  # what was done to it since, as if that were a change of ours
    gone = [Conflict(tag, "", None, text, None) for tag, text in undone.adds if tag not in own]
    new = [Conflict(tag, "", None, None, text) for tag, text in undone.deletes if tag not in own]
    return gone + new


def written_again(row: Mapping[str, Any], family: Sequence[Mapping[str, Any]]) -> str:
    """Which later windows wrote the record, too; '': none."""
    later = [each for each in family if each["sent_at"] and each["sent_at"] > row["sent_at"] and not each["undoes"]]
    later = [each for each in later if each["state"] == "acknowledged" and each["partition"] != row["partition"]]
    windows = ", ".join(dict.fromkeys(each["partition"] for each in later))
    return f"written again since by {windows}: that stays" if later else ""


def family_of(
    postgres: Postgres, ils: str, targets: Sequence[str], kind: Kind = "bib"
) -> dict[str, list[dict[str, Any]]]:
    """All that was ever written to these live records, by whichever window, oldest first; undos too."""
    with postgres.transaction() as connection:
        rows = connection.execute(
            "SELECT * FROM ledger WHERE ils = %s AND target = ANY(%s) AND kind = %s ORDER BY sent_at, record",
            [ils, list(targets), kind],
        ).fetchall()
    found: dict[str, list[dict[str, Any]]] = {each: [] for each in targets}
    for row in rows:
        found[row["target"]].append(row)
    return found


def images(
    row: Mapping[str, Any], family: Sequence[Mapping[str, Any]], until: dt.datetime | None = None
) -> tuple[Fields, Fields]:
    """The record before and after a change, without what was taken back of earlier changes while this one stood (and before
    `until`), in the order in which it was: its undo must not bring them back.

    Raises:
        LookupError: the ledger has no image or no patch of it.
        PatchConflictError: the patch does not fit the image.
    """
    before, after = _own_images(row)
    earlier = [
        each
        for each in family
        if each["state"] == "rolled_back"
        and each["sent_at"] < row["sent_at"] < each["settled_at"]
        and (until is None or each["settled_at"] < until)
        and each["action"] != "create"
    ]
    for each in sorted(earlier, key=lambda other: other["settled_at"]):
        theirs = images(each, family, each["settled_at"])
        before, after = undo_on_image(*theirs, before), undo_on_image(*theirs, after)
    return before, after


def _own_images(row: Mapping[str, Any]) -> tuple[Fields, Fields]:
    if row["patch"] is None or (row["image_before"] is None and row["action"] != "create"):
        raise LookupError("the ledger has no image before of it, or no patch: it was written by an earlier version")
    before: Fields = [(tag, text) for tag, text in row["image_before"] or ()]
    patch = row["patch"]
    deletes, adds = ([(tag, text) for tag, text in patch[name]] for name in ("deletes", "adds"))
    return before, image_after(before, deletes, adds)


__all__ = [
    "Rollback",
    "Taken",
    "family_of",
    "images",
    "undo_key",
    "window_of_undo",
]
