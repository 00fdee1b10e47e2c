"""New authority files are loaded, and what was normalized is linked; both only where holdfast.toml names an authority file.

Dagster: https://docs.dagster.io/guides/automate/sensors
"""

import json
import time
from collections.abc import Iterable

import dagster as dg

from holdfast.settings import Settings
from resources.authorities.client import AuthorityFolder
from sensors.halting import unless_halted

_EVENTS_A_TICK = 50

Seen = dict[str, tuple[int, int]]  # name/file → (size, time of last change)


def plan_files(seen: Seen, now: Seen, now_ns: int, still_seconds: dict[str, float]) -> tuple[str, str]:
    """(run key, why not): the run key of a load of these files once all look as at the tick before and are still."""
    if not now:
        return "", "no authority files"
    restless = [
        name
        for name, (size, changed) in sorted(now.items())
        if seen.get(name) != (size, changed) or now_ns - changed < still_seconds[name.split("/")[0]] * 1e9
    ]
    if restless:
        return "", f"waits for {', '.join(restless[:5])}"
    return "authorities:" + json.dumps(sorted(now.items())), ""


def list_files(settings: Settings) -> Seen:
    folder = AuthorityFolder(settings)
    found = {}
    for name in folder.names():
        for file in folder.listing(name):
            stat = file.stat()
            found[f"{name}/{file.name}"] = (stat.st_size, stat.st_mtime_ns)
    return found


def plan_linking(partitions: Iterable[tuple[int, str]]) -> dict[str, int]:
    """Partition → the last event that normalized it, of events (number, partition) in their order: each is linked once."""
    return {partition: number for number, partition in partitions}


def build_authority_sensors(settings: Settings) -> list[dg.SensorDefinition]:
    return [_file_sensor(settings), _linking_sensor()] if settings.authorities else []


def _file_sensor(settings: Settings) -> dg.SensorDefinition:
    @dg.sensor(
        name="authority_file_sensor",
        job_name="authority_load",
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.STOPPED,
        description="Loads the authority files once a new one is complete and still. Off at first: look at authority_what_if.",
    )
    @unless_halted(queue="marc21.parse")
    def authority_file_sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        seen: Seen = {name: (size, changed) for name, (size, changed) in json.loads(context.cursor or "{}").items()}
        now = list_files(settings)
        still = {name: each.still_seconds for name, each in settings.authorities.items()}
        run_key, waiting = plan_files(seen, now, time.time_ns(), still)
        if not run_key:
            context.update_cursor(json.dumps(now))
            return dg.SkipReason(waiting)
        return dg.SensorResult(run_requests=[dg.RunRequest(run_key=run_key)], cursor=json.dumps(now))

    return authority_file_sensor


def _linking_sensor() -> dg.SensorDefinition:
    @dg.sensor(
        name="authority_links_sensor",
        job_name="authority_linking",
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Links the headings of every source and day that was normalized; the load does not wait for it.",
    )
    @unless_halted(queue="marc21.parse")
    def authority_links_sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        after = int(context.cursor) if context.cursor else None
        records = context.instance.fetch_materializations(
            dg.AssetRecordsFilter(dg.AssetKey("normalized_records"), after_storage_id=after),
            limit=_EVENTS_A_TICK,
            ascending=True,
        ).records
        if not records:
            return dg.SkipReason("nothing was normalized since")
        wanted = plan_linking((each.storage_id, str(each.partition_key)) for each in records if each.partition_key)
        requests = [
            dg.RunRequest(run_key=f"authority_links:{number}", partition_key=partition)
            for partition, number in wanted.items()
        ]
        return dg.SensorResult(run_requests=requests, cursor=str(records[-1].storage_id))

    return authority_links_sensor
