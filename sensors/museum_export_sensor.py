"""Starts `museum_load` when an export is complete and still."""

from __future__ import annotations

import dagster as dg

from holdfast.settings import Settings
from resources.museum_exports.client import MuseumExports
from sensors.halting import unless_halted
from sensors.still_files import ask_for_still


def run_request(collection: str, day: str, run_key: str) -> dg.RunRequest:
    return dg.RunRequest(
        run_key=run_key,
        partition_key=dg.MultiPartitionKey({"collection": collection, "day": day}),
        # Two loads of one collection wait for each other; dagster.yaml has the limit.
        tags={"holdfast/writes-to": f"museum_index/{collection}"},
    )


def build_museum_export_sensor(settings: Settings) -> dg.SensorDefinition:
    """The sensor of all collections."""
    exports = MuseumExports(settings)
    still = {name: collection.still_seconds for name, collection in settings.collections.items()}

    @dg.sensor(
        name="museum_export_sensor",
        job_name="museum_load",
        minimum_interval_seconds=5,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Starts museum_load for each collection and day whose export is complete and still.",
    )
    @unless_halted(queue="ingestion_high")
    def sense(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        # What is harvested by OAI-PMH is made by the load itself, by its schedule.
        left = [name for name, collection in settings.collections.items() if collection.kind == "files"]
        listing = [file for name in left for file in exports.listing(name)]
        return ask_for_still(context, settings, listing, still, run_request, settings.museum_exports)

    return sense
