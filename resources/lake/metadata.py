"""What a materialization says of its table: rows and columns, in the keys that Dagster's UI knows."""

from __future__ import annotations

import resource
from collections.abc import Mapping
from typing import Any

import dagster as dg

from holdfast.feeds.elements import FeedKind
from holdfast.glossary import CHANGES, COLUMNS, FEEDS, feed_columns


def column_schema(schema: Mapping[str, Any], glossary: Mapping[str, str] = COLUMNS) -> dg.TableSchema:
    """Columns with their types and what they hold, by the schema (column → (type, what)) or by the glossary."""
    columns = []
    for name, given in schema.items():
        dtype, what = given if isinstance(given, tuple) else (given, glossary.get(name))
        columns.append(dg.TableColumn(name, str(dtype), description=what))
    return dg.TableSchema(columns=columns)


def table_metadata(rows: int, schema: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """`dagster/row_count`, `dagster/column_schema` and `more`."""
    return {"dagster/row_count": rows, "dagster/column_schema": column_schema(schema), **more}


def delta_metadata(rows: int, schema: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """As `table_metadata`, of holdings, items and circulation."""
    return {"dagster/row_count": rows, "dagster/column_schema": column_schema(schema, CHANGES), **more}


def feed_metadata(rows: int, schema: Mapping[str, Any], kind: FeedKind | None = None, **more: Any) -> dict[str, Any]:
    """As `table_metadata`, of feeds (with `kind`, of their rows) and of exports for partners."""
    glossary = feed_columns(kind) if kind else FEEDS
    return {"dagster/row_count": rows, "dagster/column_schema": column_schema(schema, glossary), **more}


def peak_mib() -> int:
    """The most memory that this process has had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
