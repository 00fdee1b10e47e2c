"""What the museum's assets have in common: their partition, and how they show their columns."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import dagster as dg
import polars as pl


def table_schema(columns: Mapping[str, tuple[pl.DataType, str]]) -> dg.TableSchema:
    """`dagster/column_schema` of a frame, with what each column holds."""
    return dg.TableSchema(
        [dg.TableColumn(name, type=str(dtype), description=what) for name, (dtype, what) in columns.items()]
    )


def export_of(context: dg.AssetExecutionContext) -> tuple[str, dt.date]:
    """Collection and day of the partition."""
    key = context.partition_key
    if not isinstance(key, dg.MultiPartitionKey):
        raise TypeError(f"{key}: not a partition of collection × day")
    dimensions = key.keys_by_dimension
    return dimensions["collection"], dt.date.fromisoformat(dimensions["day"])
