"""Starts `feed_load` when the files of a feed and day are complete and still."""

from __future__ import annotations

import dagster as dg

from holdfast.harvest.file_names import shown_name
from holdfast.settings import Settings
from resources.museum_exports.client import DroppedFile
from resources.vault.feeds import feed_files
from sensors.halting import halted_of, unless_halted
from sensors.still_files import ask_for_still


def feed_listing(settings: Settings) -> list[DroppedFile]:
    """Files of all feeds."""
    return [
        DroppedFile(name, each.day, shown_name(each.path.name), each.path, each.bytes, each.modified_ns)
        for name in sorted(settings.feeds)
        for each in feed_files(settings, name)
    ]


def feed_run(feed: str, day: str, run_key: str) -> dg.RunRequest:
    return dg.RunRequest(run_key=run_key, partition_key=dg.MultiPartitionKey({"feed": feed, "day": day}))


def build_feed_drop_sensor(settings: Settings) -> dg.SensorDefinition:
    """The sensor of all feeds."""
    still = {name: feed.still_seconds for name, feed in settings.feeds.items()}

    @dg.sensor(
        name="feed_drop_sensor",
        job_name="feed_load",
        minimum_interval_seconds=5,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Starts feed_load for each feed and day whose files are complete and still.",
    )
    @unless_halted(queue="ils.sync.holdings")
    def sense(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        listing = feed_listing(settings)
        halted = halted_of(sorted({each.collection for each in listing}))
        return ask_for_still(context, settings, listing, still, feed_run, settings.feed_drops, halted)

    return sense
