"""The change budget: whether a plan may be written at once, or waits for a person."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Annotated, NamedTuple

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from holdfast.feeds.elements import ELEMENTS
from holdfast.naming import FieldSpec

_MAD_TO_DEVIATION = 1.4826  # of a normal distribution: median absolute deviation to standard deviation
_LEAST_SPREAD = 0.1  # of the median: loads that were all alike are no reason to stop one that is a little larger


def _check_element(value: str) -> str:
    allowed = sorted({name for elements in ELEMENTS.values() for name in elements})
    if value not in allowed:
        raise ValueError(f"{value}: no element of a feed (allowed: {', '.join(allowed)})")
    return value


ElementName = Annotated[str, AfterValidator(_check_element)]


class Words(NamedTuple):
    """What the records of a plan are called, and what becomes of those that are suppressed."""

    records: str
    suppressions: str
    suppressed: str


WORDS = {
    "bib": Words("records", "suppressions", "records that are hidden"),
    "holdings": Words("holdings records", "suppressions", "holdings records that are hidden"),
    "item": Words("items", "suppressions", "items that are hidden"),
    "patron": Words("patrons", "expiries", "patrons who are expired, or whose accounts are closed"),
}


class Budget(BaseModel):
    """How much of the catalogue one plan of a source may change without a person looking at it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    changes: int = Field(default=50_000, ge=0, description="records that one plan may write")
    share_of_catalogue: float = Field(default=1.0, ge=0, le=1, description="of the catalogue's records; 1: no limit")
    share_of_load: float = Field(
        default=1.0, ge=0, le=1, description="of the records that came in, those that change a live one; 1: no limit"
    )
    new_records: int | None = Field(
        default=None, ge=0, description="records that one plan may create; not set: no limit"
    )
    suppressions: int | None = Field(
        default=None, ge=0, description="records that one plan may suppress; not set: no limit"
    )
    removed_fields: int | None = Field(
        default=None, ge=0, description="fields that one plan may take from live records; not set: no limit"
    )
    fields_to_approve: tuple[FieldSpec, ...] = Field(
        default=(),
        description="a plan that changes such a field or subfield of a live record waits, however few they are",
    )
    elements_to_approve: tuple[ElementName, ...] = Field(
        default=(),
        description="likewise of a feed: a plan that changes such an element of a live record waits",
    )
    usual_after: int = Field(
        default=5, ge=2, description="plans of the source that must have been written before one can be unusual"
    )
    usual_from: int = Field(default=100, ge=0, description="plans with fewer changes are never unusual")
    usual_spread: float = Field(
        default=4.0,
        ge=0,
        description="a plan is unusual if it is larger than every one before, and than the median by so many times the spread",
    )


class Measures(NamedTuple):
    """What a plan would do, in numbers.

    Attributes:
        came_in: records of the window.
        catalogue: records of the live catalogue.
        removed_fields: fields that go from live records and are replaced by none of their tag.
        protected: changes of subfields of live records that `protected` (or `masking.fields`) says must stay: none, unless the
            settings changed after the plan was made.
        to_approve: changes of subfields that `fields_to_approve` names, of a feed of elements that `elements_to_approve` does.
        unread: of a full feed, rows that can't be read while somebody would be expired: whom they name is not known.
        missing: of a full feed, patrons that no row names and that it expires; they are among the suppressed.
    """

    came_in: int = 0
    catalogue: int = 0
    created: int = 0
    updated: int = 0
    suppressed: int = 0
    removed_fields: int = 0
    protected: int = 0
    to_approve: int = 0
    unread: int = 0
    missing: int = 0

    @property
    def changes(self) -> int:
        return self.created + self.updated + self.suppressed


# What is held against the source's earlier plans, in words.
USUAL = {
    "changes": "changes",
    "created": "new records",
    "updated": "updates",
    "suppressed": "suppressions",
    "removed_fields": "removed fields",
}


def reasons_to_wait(
    measures: Measures, budget: Budget, earlier: Sequence[Measures], *, first_load: bool, entity: str = "bib"
) -> list[str]:
    """Why a person must look at the plan first, a sentence each; none: it may be written.

    Args:
        earlier: of the plans of the source that were written, in any order.
        first_load: the source never wrote anything, and its first plan is to be looked at.
        entity: of which the plan is; a key of WORDS.
    """
    if not measures.changes:
        return []
    said = ["the source never wrote anything: its first plan is shown first (first_load)"] if first_load else []
    words = WORDS[entity]
    return [*said, *_over_limits(measures, budget, words), *_unusual(measures, budget, earlier, words)]


def usual_words(words: Words) -> dict[str, str]:
    """What is held against the source's earlier plans: attribute of Measures → in words."""
    return USUAL | {"suppressed": words.suppressions}


def _over_limits(measures: Measures, budget: Budget, words: Words) -> list[str]:
    said = []
    records = words.records
    if measures.changes > budget.changes:
        said.append(f"{measures.changes:,} changes are planned, the budget is {budget.changes:,}")
    shares = (
        (measures.changes, budget.share_of_catalogue, measures.catalogue, "changes are planned", "the catalogue's"),
        (
            measures.updated + measures.suppressed,
            budget.share_of_load,
            measures.came_in,
            f"{records} would change",
            "the load's",
        ),
    )
    for count, share, of, what, whose in shares:
        if of and share < 1 and count > share * of:
            said.append(f"{count:,} {what}, the budget is {share:.0%} of {whose} {of:,} {records}")
    limits = (
        (measures.created, budget.new_records, "new records"),
        (measures.suppressed, budget.suppressions, words.suppressions),
        (measures.removed_fields, budget.removed_fields, "removed fields"),
    )
    said += [
        f"{count:,} {what} are planned, the budget is {limit:,}"
        for count, limit, what in limits
        if limit is not None and count > limit
    ]
    if measures.protected:
        said.append(f"{measures.protected:,} changes are of protected or masked fields: materialize change_plan again")
    what, wanted = (
        ("fields", budget.fields_to_approve) if words is WORDS["bib"] else ("elements", budget.elements_to_approve)
    )
    if measures.to_approve and wanted:
        said.append(f"{measures.to_approve:,} changes are of {what} that need approval ({', '.join(wanted)})")
    return said


def _unusual(measures: Measures, budget: Budget, earlier: Sequence[Measures], words: Words) -> list[str]:
    if len(earlier) < budget.usual_after:
        return []
    said = []
    for name, what in usual_words(words).items():
        now, before = getattr(measures, name), [getattr(each, name) for each in earlier]
        middle, spread = usual(before)
        if now >= budget.usual_from and now > max(before) and now > middle + budget.usual_spread * spread:
            said.append(
                f"{now:,} {what} are more than the source ever had: {middle:,.0f} is usual, {max(before):,} were the most in "
                f"{len(before)} plans"
            )
    return said


def usual(before: Sequence[int]) -> tuple[float, float]:
    """(median, spread) of earlier plans. The spread is the median absolute deviation, scaled to a standard deviation, and a tenth of
    the median at least; unlike the standard deviation it does not grow with one plan that was far out."""
    middle = statistics.median(before)
    deviation = statistics.median(abs(each - middle) for each in before)
    return middle, max(deviation * _MAD_TO_DEVIATION, middle * _LEAST_SPREAD)
