"""What a materialization says of a harvest: the window that was asked for, and files that were not taken."""

from __future__ import annotations

from typing import Any

import dagster as dg

from resources.vault.harvest import Harvest


def harvest_metadata(got: Harvest) -> dict[str, Any]:
    """`not_taken` where files wait; `window`, `source_records`, `source_counts` and `new_in_window` of a source that is asked."""
    out: dict[str, Any] = {}
    if got.waiting:
        out["not_taken"] = dg.MetadataValue.md("\n".join(f"- {each}" for each in got.waiting[:50]))
    if got.window:
        log = got.window.log
        out |= {
            "window": f"{log.window_from} … {log.window_until}",
            "source_records": log.records,
            "source_deleted": log.deleted,
            "new_in_window": log.new_records,
            "requests": log.requests,
        }
        if log.complete_list_size is not None:
            out["source_counts"] = log.complete_list_size
    return out
