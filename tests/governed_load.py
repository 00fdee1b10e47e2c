"""Workers that ask the demo ILS as often as the governor lets them, and what the server saw of it."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from holdfast.quota import percentile
from holdfast.settings import Circuit, Quota, Readers
from resources.governor.client import Governor
from resources.ils.errors import IlsDownError
from resources.ils.folio import FolioClient
from resources.redis.client import Redis

ROOT = Path(__file__).resolve().parents[1]
NAME = "demo"


def governor(redis_url: str, namespace: str, quota: dict[str, Any], **more: Any) -> Governor:
    """`circuit`, `readers` in `more`: their keys in holdfast.toml."""
    circuit = Circuit(**more.pop("circuit", {}))
    readers = Readers(**more.pop("readers", {}))
    return Governor(Redis(redis_url, namespace=namespace), NAME, Quota.model_validate(quota), circuit, readers, **more)


def client(url: str, governed: Governor | None, **more: Any) -> FolioClient:
    return FolioClient(url, "demo", "demo", "demo-secret", governor=governed, **more)


class Workers:
    """Processes that send requests side by side until they are told to end."""

    def __init__(
        self,
        url: str,
        redis_url: str,
        namespace: str,
        quota: dict[str, Any],
        *,
        processes: int = 4,
        threads: int = 2,
        writes: bool = False,
        **more: Any,
    ) -> None:
        given = {"url": url, "redis_url": redis_url, "namespace": namespace, "quota": quota, "more": more}
        given |= {"threads": threads, "writes": writes}
        self.processes = [
            subprocess.Popen(
                [sys.executable, "-m", "tests.governed_load", json.dumps(given)],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in range(processes)
        ]
        for each in self.processes:
            assert each.stdout is not None and each.stdout.readline() == "ready\n"
        for each in self.processes:
            assert each.stdin is not None
            each.stdin.write("\n")
            each.stdin.flush()

    def end(self) -> list[dict[str, Any]]:
        """What each says of itself: requests that were answered, and failures."""
        for each in self.processes:
            assert each.stdin is not None
            each.stdin.write("\n")
            each.stdin.flush()
        return [json.loads(each.communicate(timeout=60)[0]) for each in self.processes]

    def kill(self) -> None:
        for each in self.processes:
            each.kill()
            each.wait()
            for pipe in (each.stdin, each.stdout):
                assert pipe is not None
                pipe.close()


def most_in_a_second(moments: Sequence[float]) -> int:
    """Of all windows [t, t + 1), the fullest."""
    most = first = 0
    for last, moment in enumerate(moments):
        while moments[first] <= moment - 1:
            first += 1
        most = max(most, last - first + 1)
    return most


def p95_windows(searches: Sequence[tuple[float, float]], seconds: float) -> list[tuple[float, float]]:
    """(end, 95th percentile) of the window of so many seconds before each search."""
    return [
        (end, percentile([took for at, took in searches if end - seconds < at <= end], 0.95)) for end, _ in searches
    ]


def _work(given: dict[str, Any]) -> None:
    governed = governor(given["redis_url"], given["namespace"], given["quota"], **given["more"])
    ils = client(given["url"], governed, retries=0)
    ending, answered, failures = threading.Event(), [0], [""]

    def send() -> None:
        while not ending.is_set():
            try:
                if given["writes"]:
                    body = {"jobExecutionId": str(uuid.uuid4()), "status": "PARSING_IN_PROGRESS"}
                    ils._request("POST", "/source-storage/snapshots", body=body)
                else:
                    ils._request("GET", "/instance-storage/instances", params={"limit": 1})
                answered[0] += 1
            except IlsDownError as error:
                failures[0] = str(error)
                time.sleep(0.1)

    threads = [threading.Thread(target=send) for _ in range(given["threads"])]
    print("ready", flush=True)
    sys.stdin.readline()
    for each in threads:
        each.start()
    sys.stdin.readline()
    ending.set()
    for each in threads:
        each.join()
    ils.close()
    print(json.dumps({"answered": answered[0], "failure": failures[0], "waited": governed.waited}), flush=True)


if __name__ == "__main__":
    _work(json.loads(sys.argv[1]))
