"""What the commands ask of Dagster, over its own GraphQL API."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import httpx

_RUNS = """
query Runs($filter: RunsFilter, $limit: Int) {
  runsOrError(filter: $filter, limit: $limit) {
    __typename
    ... on Runs { results { runId jobName status startTime endTime creationTime tags { key value } } }
    ... on PythonError { message }
  }
}
"""
_STEPS = """
query Steps($id: ID!) {
  runOrError(runId: $id) { ... on Run { stepStats { stepKey status } } }
}
"""
_LOCATIONS = """
query Locations {
  workspaceOrError {
    ... on Workspace {
      locationEntries { name loadStatus locationOrLoadError { __typename ... on PythonError { message }
        ... on RepositoryLocation { repositories { name } } } }
    }
  }
}
"""
_LAUNCH = """
mutation Launch($params: ExecutionParams!) {
  launchRun(executionParams: $params) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
    ... on RunConfigValidationInvalid { errors { message } }
  }
}
"""
_BACKFILL = """
mutation Backfill($params: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $params) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message }
  }
}
"""
_NUMBERS = """
query Numbers($asset: AssetKeyInput!, $partition: String!) {
  assetNodeOrError(assetKey: $asset) {
    ... on AssetNode {
      assetMaterializations(partitions: [$partition], limit: 1) {
        metadataEntries { label ... on IntMetadataEntry { intValue } }
      }
    }
  }
}
"""
ENDED = ("SUCCESS", "FAILURE", "CANCELED")


class DagsterError(RuntimeError):
    """Dagster's answer is an error."""


@dataclass(frozen=True)
class Run:
    run_id: str
    job: str
    status: str
    partition: str
    start: float
    end: float
    created: float
    will_retry: bool = False

    @property
    def ended(self) -> bool:
        """A crashed run that the daemon starts anew is not at its end: the run after it is."""
        return self.status in ENDED and not self.will_retry

    @property
    def seconds(self) -> float:
        return max(self.end - self.start, 0) if self.start and self.end else 0


class DagsterApi:
    """The GraphQL API of a Dagster webserver at `url`."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._http = httpx.Client(base_url=self.url, timeout=60)

    def close(self) -> None:
        self._http.close()

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """The `data` of an answer.

        Raises:
            DagsterError: the answer has errors.
            httpx.HTTPError: there is no answer.
        """
        response = self._http.post("/graphql", json={"query": query, "variables": variables})
        response.raise_for_status()
        answer = response.json()
        if answer.get("errors"):
            raise DagsterError(str(answer["errors"])[:1000])
        return dict(answer["data"])

    def locations(self) -> dict[str, str]:
        """Code location → '' when it is loaded, else why it is not."""
        entries = self.ask(_LOCATIONS)["workspaceOrError"]["locationEntries"]
        found = {}
        for entry in entries:
            place = entry["locationOrLoadError"] or {}
            loaded = entry["loadStatus"] == "LOADED" and place.get("__typename") == "RepositoryLocation"
            found[entry["name"]] = "" if loaded else place.get("message", "is loading")
        return found

    def wait_until_loaded(self, names: set[str], seconds: float = 180) -> None:
        """Wait until the code locations are there.

        Raises:
            DagsterError: one of them can't be loaded, or the time is over.
        """
        end, last = time.monotonic() + seconds, "the webserver does not answer"
        while time.monotonic() < end:
            try:
                found = self.locations()
            except (httpx.HTTPError, DagsterError):
                found = {}
            broken = {name: why for name, why in found.items() if why and why != "is loading"}
            if broken:
                raise DagsterError("; ".join(f"{name}: {why}" for name, why in broken.items()))
            if names <= {name for name, why in found.items() if not why}:
                return
            last = f"loaded: {', '.join(found) or 'nothing yet'}"
            time.sleep(0.5)
        raise DagsterError(f"Dagster is not up after {seconds:.0f} s ({last})")

    def runs(self, *, since: float = 0, limit: int = 200) -> list[Run]:
        """Runs created after `since` (seconds of the epoch), the newest first."""
        answer = self.ask(_RUNS, filter={"createdAfter": since} if since else {}, limit=limit)["runsOrError"]
        if answer["__typename"] != "Runs":
            raise DagsterError(str(answer))
        found = []
        for each in answer["results"]:
            tags = {tag["key"]: tag["value"] for tag in each["tags"]}
            partition = tags.get("dagster/partition", "")
            times = (each["startTime"] or 0, each["endTime"] or 0, each["creationTime"] or 0)
            retry = tags.get("dagster/will_retry") == "true"
            found.append(Run(each["runId"], each["jobName"], each["status"], partition, *times, will_retry=retry))
        return found

    def running_steps(self, run_id: str) -> tuple[int, str]:
        """(how many steps are done, name of the one that runs)."""
        stats = (self.ask(_STEPS, id=run_id)["runOrError"] or {}).get("stepStats") or []
        done = sum(1 for each in stats if each["status"] == "SUCCESS")
        now = next((each["stepKey"] for each in stats if each["status"] == "IN_PROGRESS"), "")
        return done, now

    def numbers(self, asset: str, partition: str) -> dict[str, int]:
        """The whole numbers that the partition's last materialization has in its metadata."""
        node = self.ask(_NUMBERS, asset={"path": [asset]}, partition=partition)["assetNodeOrError"]
        entries = [entry for each in node.get("assetMaterializations", []) for entry in each["metadataEntries"]]
        return {entry["label"]: entry["intValue"] for entry in entries if entry.get("intValue") is not None}

    def launch(
        self,
        location: str,
        job: str,
        partition: str,
        dimensions: dict[str, str] | None = None,
        *,
        run_config: dict[str, Any] | None = None,
    ) -> str:
        """Launch a job, of a partition where one is named; the run's id."""
        tags = ({"dagster/partition": partition} if partition else {}) | {
            f"dagster/partition/{k}": v for k, v in (dimensions or {}).items()
        }
        params = {
            "selector": {"repositoryLocationName": location, "repositoryName": "__repository__", "jobName": job},
            "runConfigData": run_config or {},
            "mode": "default",
            "executionMetadata": {"tags": [{"key": key, "value": value} for key, value in tags.items()]},
        }
        answer = self.ask(_LAUNCH, params=params)["launchRun"]
        if answer["__typename"] != "LaunchRunSuccess":
            raise DagsterError(f"{job} {partition}: {answer}")
        return str(answer["run"]["runId"])

    def backfill(self, assets: list[str], partitions: list[str]) -> str:
        """Launch a backfill of assets over partitions; its id."""
        params = {
            "assetSelection": [{"path": [name]} for name in assets],
            "partitionNames": partitions,
            "fromFailure": False,
        }
        answer = self.ask(_BACKFILL, params=params)["launchPartitionBackfill"]
        if answer["__typename"] != "LaunchBackfillSuccess":
            raise DagsterError(str(answer))
        return str(answer["backfillId"])
