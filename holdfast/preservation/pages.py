"""A batch's pages as frames: every page is a row of every step, from the manifest to its one outcome."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import polars as pl

from holdfast.outcomes import Conservation, Outcome, Rejection
from holdfast.preservation.drop import Survey
from holdfast.preservation.events import EventOutcome, EventType, NewEvent
from holdfast.preservation.manifest import page_rejection

AGENT = "holdfast 0.1"

#: The end of each page's row: `outcome` is null while the page goes on; `code`, `rule`, `hint` say why it does not.
VERDICT: dict[str, type[pl.DataType]] = {
    "outcome": pl.String,
    "code": pl.String,
    "rule": pl.String,
    "hint": pl.String,
}
SURVEYED: dict[str, type[pl.DataType]] = {
    "page": pl.Int64,  # from 1, in the order of the manifest; files that it does not name come last
    "path": pl.String,
    "sha256": pl.String,  # as declared
    "bytes": pl.Int64,  # as declared
    "found_bytes": pl.Int64,
    **VERDICT,
}
BATCH: dict[str, type[pl.DataType]] = {
    "batch": pl.String,
    "folder": pl.String,
    "accepted": pl.Boolean,
    "manifest_sha256": pl.String,
    "manifest_id": pl.String,
    "scanner_id": pl.String,
    "scanner_model": pl.String,
    "resolution_dpi": pl.Int64,
    "color_profile": pl.String,
    "settings": pl.String,  # JSON
    "pages": pl.Int64,
}


def verdict(rejection: Rejection | None) -> dict[str, str | None]:
    """The columns of `VERDICT` for a page that is rejected or goes on."""
    if rejection is None:
        return {"outcome": None, "code": "", "rule": "", "hint": ""}
    return {
        "outcome": str(Outcome.QUARANTINED),
        "code": rejection.code,
        "rule": rejection.rule,
        "hint": rejection.hint,
    }


def survey_frames(batch: str, survey: Survey) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(one row of `BATCH`, a row a page of `SURVEYED`)."""
    header = survey.manifest.header
    about = {
        "batch": batch,
        "folder": survey.folder.encode("utf-8", "backslashreplace").decode(),
        "accepted": survey.accepted,
        "manifest_sha256": survey.manifest.sha256,
        "manifest_id": header.id if header else "",
        "scanner_id": header.scanner_id if header else "",
        "scanner_model": header.scanner_model if header else "",
        "resolution_dpi": header.resolution_dpi if header else None,
        "color_profile": header.color_profile if header else "",
        "settings": survey.manifest.settings_json(),
        "pages": len(survey.pages),
    }
    rows = [
        {
            "page": each.page,
            "path": each.path,
            "sha256": each.declared_sha256,
            "bytes": each.declared_bytes,
            "found_bytes": each.found_bytes,
            **verdict(each.rejection),
        }
        for each in survey.pages
    ]
    return pl.DataFrame([about], schema=BATCH), pl.DataFrame(rows, schema=SURVEYED)


def survey_events(batch: str, survey: Survey) -> list[NewEvent]:
    """Capture as the manifest says it, ingestion, validation of the manifest, and a quarantine for each rejection."""
    sha256, header = survey.manifest.sha256, survey.manifest.header
    outcome = EventOutcome.SUCCESS if header else EventOutcome.FAIL
    events = [NewEvent(EventType.INGESTION, "", sha256, EventOutcome.SUCCESS, f"drop {batch} taken up", AGENT)]
    if header:
        detail = f"captured at {header.resolution_dpi} dpi, colour profile {header.color_profile or 'not named'}"
        agent = f"{header.scanner_model} ({header.scanner_id})"
        events.insert(0, NewEvent(EventType.CAPTURE, "", sha256, EventOutcome.SUCCESS, detail, agent))
    faults = "; ".join(each.rule for each in survey.manifest.rejections)
    detail = "manifest validated against its schema and the drop" + (f": {faults}" if faults else "")
    events.append(NewEvent(EventType.VALIDATION, "", sha256, outcome, detail, AGENT))
    if not survey.accepted:
        return [*events, *(quarantine_event("", sha256, each) for each in survey.rejections)]
    rejected = ((each.path, each.declared_sha256, each.rejection) for each in survey.pages)
    return [*events, *(quarantine_event(path, digest, each) for path, digest, each in rejected if each)]


def quarantine_event(path: str, sha256: str, rejection: Rejection) -> NewEvent:
    detail = f"{rejection.code}: {rejection.rule}"
    return NewEvent(EventType.QUARANTINE, path, sha256, EventOutcome.SUCCESS, detail, AGENT)


def rejection_of(batch: str, row: Mapping[str, Any]) -> Rejection:
    """The rejection that a quarantined row stands for."""
    return page_rejection(batch, row["page"], row["path"], row["code"], row["rule"], row["hint"], row["sha256"])


def outcome_counts(pages: pl.DataFrame, *, came_in: int) -> Conservation:
    """In against the outcomes of `pages`; one that goes on counts as committed so far."""
    found = pages.select(pl.col("outcome").fill_null(str(Outcome.COMMITTED))).to_series().to_list()
    names: Iterable[Outcome] = (Outcome.COMMITTED, Outcome.QUARANTINED, Outcome.DUPLICATE)
    counts = {str(name): found.count(str(name)) for name in names}
    others = {name: found.count(name) for name in sorted(set(found) - set(counts))}
    # A page that stands twice or never would hide in the sum: count pages, not rows.
    if pages["page"].n_unique() != pages.height:
        others["counted twice"] = pages.height - pages["page"].n_unique()
    return Conservation(came_in, {**counts, **others})
