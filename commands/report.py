"""What came out of the loads: in, and each outcome, a row a partition."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from commands.follow import Expected
from commands.graphql import DagsterApi, Run
from holdfast.environment import read_environment
from holdfast.outcomes import Conservation, Outcome
from holdfast.settings import Settings
from resources.lake.client import Lake, NotMaterialized
from resources.postgres.client import Postgres
from resources.postgres.failures import Failures
from resources.postgres.quarantine import Quarantine

# The asset of each flow that counts the outcomes.
_FLOWS = {
    "catalogue_load": ("catalogue", "ils_commits"),
    "museum_load": ("museum", "museum_index"),
    "feed_load": ("catalogue", "feed_commits"),
    "digitization": ("preservation", "enriched_metadata"),
}


def print_report(
    settings: Settings, api: DagsterApi, runs: dict[Expected, Run], wanted: set[Expected], writes: int
) -> bool:
    """Print the tables; whether every wanted run succeeded and every sum holds."""
    postgres = Postgres(read_environment().need("HOLDFAST_POSTGRES_URL"))
    try:
        postgres.migrate()
        counts = {job: Quarantine(postgres, flow).outcomes(asset) for job, (flow, asset) in _FLOWS.items()}
        failures = {each["run_id"]: each["message"] for each in Failures(postgres).latest(100)}
    finally:
        postgres.close()
    console = Console(width=None if Console().is_terminal else 150)
    table = Table(title="What came out", title_justify="left")
    table.add_column("partition")
    for name in ("in", *(each.value for each in Outcome), "seconds", "MiB"):
        table.add_column(name.replace("_", " "), justify="right")
    healthy = True
    for load in sorted(wanted, key=lambda each: (each.job, each.partition)):
        run = runs.get(load)
        if load.job not in _FLOWS:  # what came in of it ends in no catalogue: there is nothing to sum up
            healthy &= run is not None and run.status == "SUCCESS"
            continue
        counted = dict(counts.get(load.job, {}).get(load.partition, {}))
        came_in = counted.pop("in", 0)
        fine = run is not None and run.status == "SUCCESS" and Conservation(came_in, counted).holds
        healthy &= fine
        cells = [f"{counted.get(each.value, 0):,}" for each in Outcome]
        name = load.partition if fine else f"{load.partition} ({run.status.lower() if run else 'no run'})"
        table.add_row(name, f"{came_in:,}", *cells, f"{run.seconds:.1f}" if run else "–", _peak(api, load))
    console.print(table)
    _print_pages(console, settings, wanted)
    if writes >= 0:
        console.print(f"Writes that the library system saw: {writes:,}")
    for load, run in runs.items():
        if run.status != "SUCCESS":
            console.print(f"{load.partition}: {failures.get(run.run_id, f'run {run.run_id} is {run.status.lower()}')}")
    return healthy


def _peak(api: DagsterApi, load: Expected) -> str:
    """The most memory that the load's process had, where its last asset says so."""
    peak = api.numbers(_FLOWS[load.job][1], load.partition).get("peak_mib")
    return f"{peak:,}" if peak else "–"


def _print_pages(console: Console, settings: Settings, wanted: set[Expected]) -> None:
    batches = sorted(each.partition for each in wanted if each.job == "digitization")
    if not batches:
        return
    lake, table = Lake(settings.var / "lake"), Table(title="Pages", title_justify="left")
    for name in ("batch", "pages read", "words"):
        table.add_column(name, justify="left" if name == "batch" else "right")
    for batch in batches:
        try:
            texts = lake.read("ocr_text", batch)
            read = texts.filter(texts["outcome"].is_null()).height if "outcome" in texts.columns else texts.height
            table.add_row(batch, f"{read:,}", f"{lake.rows('ocr_text', batch, 'words'):,}")
        except NotMaterialized:
            table.add_row(batch, "–", "–")
    console.print(table)
