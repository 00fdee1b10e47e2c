"""Partitions of the catalogue: MARC by source × day, the museum by collection × day, feeds and exports for partners likewise.

Sources and collections come from `holdfast.toml`, which is read here, once, at import: a wrong file stops the code
location with the key that is wrong.
"""

from __future__ import annotations

import datetime as dt

import dagster as dg

from holdfast.settings import load_settings

SETTINGS = load_settings()

DAYS = dg.DailyPartitionsDefinition(
    start_date=SETTINGS.partitions.first_day.isoformat(),
    timezone=SETTINGS.library.timezone,
    end_offset=1,  # today is a partition: drops are loaded on the day they come
)
LOADS = dg.MultiPartitionsDefinition({"source": dg.StaticPartitionsDefinition(sorted(SETTINGS.sources)), "day": DAYS})
# Windows of sources and of feeds, which have no name in common.
WINDOWS = dg.MultiPartitionsDefinition(
    {"source": dg.StaticPartitionsDefinition(sorted({*SETTINGS.sources, *SETTINGS.feeds})), "day": DAYS}
)
EXPORTS = dg.MultiPartitionsDefinition(
    {"collection": dg.StaticPartitionsDefinition(sorted(SETTINGS.collections) or ["none"]), "day": DAYS}
)
FEEDS = dg.MultiPartitionsDefinition(
    {"feed": dg.StaticPartitionsDefinition(sorted(SETTINGS.feeds) or ["none"]), "day": DAYS}
)
PARTNERS = dg.MultiPartitionsDefinition(
    {"export": dg.StaticPartitionsDefinition(sorted(SETTINGS.exports) or ["none"]), "day": DAYS}
)
# Sources that are asked, and can be compared with what they list.
ASKED = dg.StaticPartitionsDefinition(
    sorted(name for name, source in SETTINGS.sources.items() if source.asked) or ["none"]
)


def load_of(context: dg.AssetExecutionContext) -> tuple[str, str]:
    """(source, day) of the partition that runs."""
    key = context.partition_key
    if not isinstance(key, dg.MultiPartitionKey):
        raise TypeError(f"partition {key!r} is not one of source × day")
    return key.keys_by_dimension["source"], key.keys_by_dimension["day"]


def feed_of(context: dg.AssetExecutionContext) -> tuple[str, str]:
    """(feed, day) of the partition that runs."""
    key = context.partition_key
    if not isinstance(key, dg.MultiPartitionKey):
        raise TypeError(f"partition {key!r} is not one of feed × day")
    return key.keys_by_dimension["feed"], key.keys_by_dimension["day"]


def partner_export_of(context: dg.AssetExecutionContext) -> tuple[str, str]:
    """(export, day) of the partition that runs."""
    key = context.partition_key
    if not isinstance(key, dg.MultiPartitionKey):
        raise TypeError(f"partition {key!r} is not one of export × day")
    return key.keys_by_dimension["export"], key.keys_by_dimension["day"]


def export_of(context: dg.AssetExecutionContext) -> tuple[str, dt.date]:
    """(collection, day) of the partition that runs."""
    key = context.partition_key
    if not isinstance(key, dg.MultiPartitionKey):
        raise TypeError(f"partition {key!r} is not one of collection × day")
    return key.keys_by_dimension["collection"], dt.date.fromisoformat(key.keys_by_dimension["day"])
