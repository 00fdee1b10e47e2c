"""Runs the jobs of recovery in this process, with the form that a person fills in."""

from __future__ import annotations

from typing import Any

import dagster as dg

from catalog_assets.definitions import build_defs
from tests.catalogue_load import DAY, messages_of

OPS = {
    "halt_ingestion": "halt",
    "resume_ingestion": "resume",
    "reconcile_window": "reconcile",
    "replay_window": "replay",
    "rollback_window": "roll_back",
    "release_quarantine": "release",
}
SIGNED = {"who": "Anna", "why": "ticket 7"}


class Recovered:
    def __init__(self, result: dg.ExecuteInProcessResult) -> None:
        self.result, self.success = result, result.success

    @property
    def metadata(self) -> dict[str, Any]:
        """Of the op's output: what a person sees on the run's page."""
        (event,) = [each for each in self.result.all_events if each.is_successful_output]
        return {name: each.value for name, each in event.step_output_data.metadata.items()}

    @property
    def error(self) -> str:
        return messages_of(self.result)


def run(job: str, window: str = "", /, **form: Any) -> Recovered:
    """With `window`, a source, the job runs on its partition of DAY."""
    key = dg.MultiPartitionKey({"source": window, "day": DAY.date().isoformat()}) if window else None
    config = {"ops": {OPS[job]: {"config": {**SIGNED, **form}}}}
    with dg.DagsterInstance.ephemeral() as instance:
        result = (
            build_defs()
            .resolve_job_def(job)
            .execute_in_process(run_config=config, partition_key=key, instance=instance, raise_on_error=False)
        )
    return Recovered(result)
