"""What a materialization says of its table: rows and columns, in the keys that Dagster's UI knows."""

from __future__ import annotations

import resource
from collections.abc import Mapping
from typing import Any

import dagster as dg

from holdfast.glossary import COLUMNS


def table_metadata(rows: int, schema: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    columns = [dg.TableColumn(name, str(dtype), description=COLUMNS.get(name)) for name, dtype in schema.items()]
    return {"dagster/row_count": rows, "dagster/column_schema": dg.TableSchema(columns=columns), **more}


def peak_mib() -> int:
    """The most memory that this process has had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
