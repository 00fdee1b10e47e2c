"""What every materialization of preservation shows: rows, columns, the outcomes, the head of the event chain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dagster as dg
import polars as pl

from holdfast.outcomes import Conservation


def column_schema(schema: Mapping[str, type[pl.DataType]]) -> dg.TableSchema:
    return dg.TableSchema([dg.TableColumn(name, str(kind)) for name, kind in schema.items()])


def table_metadata(rows: int, schema: Mapping[str, type[pl.DataType]], **more: Any) -> dict[str, Any]:
    """`dagster/row_count`, `dagster/column_schema` and `more`."""
    return {"dagster/row_count": rows, "dagster/column_schema": column_schema(schema), **more}


def outcome_metadata(conservation: Conservation) -> dict[str, Any]:
    return {"conservation": conservation.sentence, "came_in": conservation.came_in, **conservation.outcomes}
