"""The ledger against the live records and against the library system's own audit log: agreed, missing, foreign or in doubt.

What is safe to say is settled: a change that was sent and never answered is there (acknowledged), is not there (prepared
again), or somebody else was at the record before anybody looked (conflicted).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import polars as pl

from holdfast.catalogue.patch import PatchConflictError
from holdfast.catalogue.undo import Field, stands
from holdfast.outcomes import Rejection
from holdfast.privacy.masking import MaskingRules
from resources.ils.client import Ils, LiveRecord, source_record_id
from resources.ledger.commit import mask_fields
from resources.ledger.replaying import Order, Recoveries
from resources.ledger.undoing import family_of, images
from resources.postgres.client import Postgres

RECONCILED = pl.Schema(
    {
        "record": pl.UInt32,
        "idempotency_key": pl.String,
        "target": pl.String,
        "action": pl.String,
        "state": pl.String,  # of the ledger's row, before any repair
        "verdict": pl.String,  # agreed, missing, foreign, in_doubt, refused or unwritten
        "repair": pl.String,  # state that is safe to give to the row; '' where none is
        "changed_by": pl.String,
        "changed_at": pl.String,
        "detail": pl.String,
    }
)
VERDICTS = {
    "agreed": "the ledger and the library system say the same",
    "missing": "the ledger says written, and the live record has it not",
    "foreign": "somebody else wrote the record since",
    "in_doubt": "sent, and nobody saw the answer",
    "refused": "the library system did not take it, or the record had changed",
    "unwritten": "prepared and not sent yet",
}
Audit = Literal["differing", "all", "none"]
_CHUNK = 100


@dataclass
class Found:
    """A ledger row and how it stands."""

    row: dict[str, Any]
    verdict: str
    repair: str = ""
    detail: str = ""
    changed_by: str = ""
    changed_at: str = ""


class Reconciliation:
    """Of one window. `settle_after`: what was sent so lately may still be on its way, and is left in doubt."""

    def __init__(
        self,
        postgres: Postgres,
        ils: Ils,
        source: str,
        partition: str,
        rules: MaskingRules,
        salt: bytes,
        *,
        audit: Audit = "differing",
        settle_after: dt.timedelta = dt.timedelta(seconds=60),
    ) -> None:
        self._postgres, self._ils, self._source, self._partition = postgres, ils, source, partition
        self._rules, self._salt, self._audit, self._settle_after = rules, salt, audit, settle_after

    def look(self) -> Iterator[list[Found]]:
        """Every key of the window, part by part. Reads only."""
        with self._postgres.transaction() as connection:
            rows = connection.execute(
                "SELECT idempotency_key, target, now() AS now FROM ledger WHERE ils = %s AND source = %s AND partition = %s "
                "AND kind = 'bib' AND undoes IS NULL ORDER BY record, prepared_at",
                [self._ils.name, self._source, self._partition],
            ).fetchall()
        for at in range(0, len(rows), _CHUNK):
            yield self._look(rows[at : at + _CHUNK])

    def _look(self, rows: Sequence[Mapping[str, Any]]) -> list[Found]:
        targets = list(dict.fromkeys(row["target"] for row in rows))
        family = family_of(self._postgres, self._ils.name, targets)
        ours = {each["idempotency_key"]: each for members in family.values() for each in members}
        known = [ours[row["idempotency_key"]] for row in rows]
        correlations = {each["target"]: each["correlation_id"] for each in known}
        live = self._ils.fetch(targets, [correlations[each] for each in targets])
        found = [self._judge(row, live.get(row["target"]), family[row["target"]], rows[0]["now"]) for row in known]
        self._ask_who(found)
        return found

    def _judge(
        self, row: dict[str, Any], live: LiveRecord | None, family: list[dict[str, Any]], now: dt.datetime
    ) -> Found:
        state = row["state"]
        if state == "acknowledged":
            return self._judge_written(row, live, family)
        if state == "sent":
            found = self._judge_doubt(row, live, family)
            if row["sent_at"] > now - self._settle_after:
                found.repair, found.detail = "", "sent a moment ago: it may be on its way still"
            return found
        if state == "rolled_back":
            back = live is None or not _is_ours(live, row)
            return Found(
                row, "agreed" if back else "foreign", detail="was rolled back" if back else "is back, as it was written"
            )
        if state == "prepared":
            return Found(row, "unwritten", detail="the next run of the window writes it, if it is planned still")
        return Found(row, "refused", detail=row["answer"])

    def _judge_written(self, row: dict[str, Any], live: LiveRecord | None, family: list[dict[str, Any]]) -> Found:
        if row["action"] == "delete":
            return Found(
                row, "agreed" if live is None else "missing", detail="" if live is None else "the record is there"
            )
        if live is None or not live.fields:
            return Found(
                row, "missing", detail="the record is not there: replay_window with reapply_missing writes it anew"
            )
        if _is_ours(live, row):
            return Found(row, "agreed")
        for other in reversed(family):
            if other is not row and _is_ours(live, other) and other["sent_at"] >= row["sent_at"]:
                return Found(row, "agreed", detail=f"written again since: {other['partition']}")
        how = self._stands(row, live, family)
        if how in ("none", "gone"):
            detail = "the record is as it was before, as after a restored backup: replay_window with reapply_missing"
            return Found(row, "missing", detail=detail)
        if how == "same":
            return Found(row, "agreed")
        said = "all that was written is there" if how == "whole" else "what was written was changed, too"
        return Found(
            row, "foreign", detail=f"edited since; {said}" if how != "unknown" else "edited since; no image to compare"
        )

    def _judge_doubt(self, row: dict[str, Any], live: LiveRecord | None, family: list[dict[str, Any]]) -> Found:
        found = Found(row, "in_doubt")
        there = live is not None and bool(live.fields)
        if row["action"] == "delete":
            found.repair = "prepared" if there else "acknowledged"
        elif row["action"] == "create":
            # Nobody else makes a record with this id.
            found.repair = "acknowledged" if there else "prepared"
        elif live is None or not there:
            found.repair, found.detail = "conflicted", "the record was deleted since"
        elif _is_ours(live, row):
            found.repair = "acknowledged"
        else:
            how = self._stands(row, live, family)
            whole = how in ("whole", "same") or (how == "empty" and row["action"] == "suppress" and live.suppressed)
            found.repair = "acknowledged" if whole else "prepared" if how in ("none", "empty") else "conflicted"
            if found.repair == "acknowledged" and how != "same":
                found.detail = "it is there, and the record was edited since"
            elif found.repair == "conflicted":
                found.detail = (
                    "somebody edited the record before anybody saw whether it was written: neither image is live"
                )
        return found

    def _stands(self, row: dict[str, Any], live: LiveRecord, family: list[dict[str, Any]]) -> str:
        """As undo.stands, and 'same' (the whole record is as written), 'unknown' (there is no image)."""
        if row["action"] == "create":
            before: list[Field] = []
            after = [(tag, text) for tag, text in (row["patch"] or {"adds": []})["adds"]]
            after = [each for each in after if each[0] not in ("LDR", "003", "005")]
        else:
            try:
                before, after = images(row, family)
            except (LookupError, PatchConflictError):
                return "unknown"
        masked = mask_fields(live.fields, self._rules, self._salt)
        if stands(after, masked, masked) == "empty":
            return "same"
        return stands(before, after, masked)

    def _ask_who(self, found: Sequence[Found]) -> None:
        """Who changed the records last, by the library system's own audit."""
        if self._audit == "none" or "bib" not in self._ils.capabilities.audit:
            return
        asked = [
            each
            for each in found
            if each.row["sent_at"] and (self._audit == "all" or each.verdict in ("foreign", "missing", "in_doubt"))
        ]
        if not asked:
            return
        # Clocks differ: a minute before is asked for, and the last entry counts.
        since = (min(each.row["sent_at"] for each in asked) - dt.timedelta(minutes=1)).isoformat()
        last: dict[str, tuple[str, str]] = {}
        for entry in self._ils.audit("bib", list(dict.fromkeys(each.row["target"] for each in asked)), since):
            if entry.at >= last.get(entry.target, ("", ""))[0]:
                last[entry.target] = (entry.at, entry.user)
        for each in asked:
            each.changed_at, each.changed_by = last.get(each.row["target"], ("", ""))
            if each.row["target"] not in last and each.row["state"] == "acknowledged":
                each.detail = "; ".join(part for part in (each.detail, "the audit log has no write of it") if part)

    def repair(self, found: Sequence[Found], order: Order) -> list[Found]:
        """Give the rows in doubt the states that are safe; those that are in them now. What a writer settled meanwhile to
        another one stays."""
        recoveries = Recoveries(self._postgres)
        # What was written after all, and then changed back by hand, has taken its MARC id: the next attempt takes another one.
        back = [each.row["idempotency_key"] for each in found if each.repair == "prepared"]
        states = {
            each.row["idempotency_key"]: (each.repair, f"reconciled: {each.detail or 'found written'}")
            for each in found
            if each.repair in ("acknowledged", "conflicted")
        }
        if back:
            recoveries.set_back(self._ils.name, back, order, only=["sent"], what="reconciled")
        if states:
            recoveries.settle(self._ils.name, "reconciled", states, order, only=["sent"])
        now = self._states([*back, *states])
        return [each for each in found if each.repair and now.get(each.row["idempotency_key"]) == each.repair]

    def _states(self, keys: Sequence[str]) -> dict[str, str]:
        with self._postgres.transaction() as connection:
            found = connection.execute(
                "SELECT idempotency_key, state FROM ledger WHERE ils = %s AND idempotency_key = ANY(%s)",
                [self._ils.name, list(keys)],
            )
            return {row["idempotency_key"]: row["state"] for row in found}


def _is_ours(live: LiveRecord, row: Mapping[str, Any]) -> bool:
    return bool(live.source_id) and live.source_id == source_record_id(row["idempotency_key"], row["round"])


def as_frame(found: Sequence[Found]) -> pl.DataFrame:
    rows = [
        (each.row["record"], each.row["idempotency_key"], each.row["target"], each.row["action"], each.row["state"])
        + (each.verdict, each.repair, each.changed_by, each.changed_at, each.detail)
        for each in found
    ]
    return pl.DataFrame(rows, schema=RECONCILED, orient="row")


def rejections(found: Sequence[Found]) -> list[Rejection]:
    """Quarantine entries of what is in doubt and fits neither image."""
    return [
        Rejection(
            code="ils.in_doubt",
            place=f"record {each.row['record']} → {each.row['target']}: {each.detail}",
            rule="a change that was sent is found in the live record, or the record is as it was before",
            hint="look at the record in the library system; then materialize catalog_snapshot and this partition again: it is "
            "planned anew on what is there now",
            correlation_id=each.row["correlation_id"],
            sha256=each.row["content_sha256"],
        )
        for each in found
        if each.repair == "conflicted"
    ]
