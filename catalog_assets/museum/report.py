"""What every museum asset says of a materialization: its columns, its counts, and whether they add up."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import dagster as dg
import polars as pl

from holdfast.outcomes import Conservation

CONSERVATION = "conservation"


def conservation_spec(asset: str) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        CONSERVATION,
        asset=asset,
        blocking=True,
        description="In = sum of the outcomes: nothing is lost in silence.",
    )


def conservation_result(conservation: Conservation) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        check_name=CONSERVATION,
        passed=conservation.holds,
        description=conservation.sentence,
        metadata={"in": conservation.came_in, **conservation.outcomes},
    )


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
