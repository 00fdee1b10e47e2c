"""What every materialization of preservation shows: rows, columns, the outcomes, the head of the event chain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from holdfast.glossary import PAGES
from holdfast.outcomes import Conservation
from resources.lake.metadata import column_schema, peak_mib


def table_metadata(rows: int, schema: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """`dagster/row_count`, `dagster/column_schema` with what a page's columns hold, and `more`."""
    return {"dagster/row_count": rows, "dagster/column_schema": column_schema(schema, PAGES), **more}


def outcome_metadata(conservation: Conservation) -> dict[str, Any]:
    return {
        "conservation": conservation.sentence,
        "came_in": conservation.came_in,
        "peak_mib": peak_mib(),
        **conservation.outcomes,
    }
