"""Runs through Celery as deploy/celery says: a daemon, a code server and a worker, on a real broker.

The broker is the one of HOLDFAST_BROKER_URL and HOLDFAST_RESULTS_URL where they are set, else the embedded Redis.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import dagster as dg
import psutil
import pytest
import yaml

from commands.processes import free_port, wait_for_file
from resources.embedded.errors import ServiceError
from resources.embedded.redis import program
from resources.embedded.services import dagster_storage_url

ROOT = Path(__file__).resolve().parents[2]
DEPLOYED = ROOT / "deploy" / "celery"


def _no_broker() -> str:
    if os.environ.get("HOLDFAST_BROKER_URL") or os.environ.get("HOLDFAST_REDIS_URL"):
        return ""
    try:
        program()
    except ServiceError as error:
        return f"no broker: HOLDFAST_BROKER_URL is not set, and {error}"
    return ""


pytestmark = [
    pytest.mark.services,
    pytest.mark.dagster,
    pytest.mark.faults,
    pytest.mark.skipif(bool(_no_broker()), reason=_no_broker()),
]

# An asset that waits for ever in the first try: a retry finds that it was there before.
PATIENT = """
import os, pathlib, time
import dagster as dg

TRACE = pathlib.Path(os.environ["HOLDFAST_VAR"]) / "trace"

@dg.asset
def patient() -> None:
    first = not TRACE.exists()
    with TRACE.open("a") as file:
        file.write(f"{os.getpid()}\\n")
    if first:
        time.sleep(600)

job = dg.define_asset_job("wait", [patient], tags={"dagster-celery/queue": "compute_intensive"})
defs = dg.Definitions([patient], jobs=[job], executor=dg.in_process_executor)
"""


def for_celery(redis_url: str) -> str:
    """The address of a Redis as Celery writes it: redis+socket://PATH?virtual_host=NUMBER, redis://HOST/NUMBER."""
    parts = urlsplit(redis_url)
    number = parse_qs(parts.query).get("db", ["0"])[0]
    if parts.scheme == "unix":
        return f"redis+socket://{parts.path}?virtual_host={number}"
    return parts._replace(path=f"/{number}", query="").geturl()


class Cluster:
    """Daemon, code server, workers and ILS of one test: processes, each with a log in VAR/logs."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self.logs = folder / "logs"
        self.logs.mkdir()
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.home = folder / "home"
        self.home.mkdir()
        text = (DEPLOYED / "dagster.yaml").read_text()
        assert "poll_interval_seconds: 10" in text
        (self.home / "dagster.yaml").write_text(
            text.replace("poll_interval_seconds: 10", "poll_interval_seconds: 1")  # a test can't wait so long
        )
        self.environ = {**environ, "DAGSTER_HOME": str(self.home), "PYTHON": sys.executable}
        self.workspace = self.home / "workspace.yaml"

    def start(self, name: str, *command: str) -> psutil.Process:
        with (self.logs / name).open("wb") as log:
            self.processes[name] = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.environ, cwd=ROOT
            )
        return psutil.Process(self.processes[name].pid)

    def stop(self) -> None:
        """Ask the workers first, the others after; what does not listen is killed."""
        for name in sorted(self.processes, key=lambda name: not name.startswith("worker")):
            process = self.processes[name]
            family = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            for child in psutil.wait_procs(family, timeout=2)[1]:
                child.kill()

    def serve(self, location: str, *target: str) -> None:
        """Start a code server and the daemon that asks it."""
        port = free_port()
        command = [sys.executable, "-m", "dagster", "code-server", "start", "-h", "127.0.0.1", "-p", str(port)]
        self.start("code", *command, *target)
        server = {"grpc_server": {"host": "127.0.0.1", "port": port, "location_name": location}}
        self.workspace.write_text(yaml.safe_dump({"load_from": [server]}))
        health = [sys.executable, "-m", "dagster", "api", "grpc-health-check", "-p", str(port)]
        self.wait(f"code server {location}", lambda: subprocess.run(health, capture_output=True).returncode == 0)
        self.start("daemon", sys.executable, "-m", "dagster._daemon", "run", "-w", str(self.workspace))

    def work(self, *queues: str) -> psutil.Process:
        name = "worker-" + "-".join(queues)
        process = self.start(name, str(DEPLOYED / "worker"), ",".join(queues), "-n", f"{name}@test")
        self.wait(name, lambda: " ready." in (self.logs / name).read_text())
        return process

    def launch(self, job: str, tags: Mapping[str, str]) -> str:
        """Put a run on Dagster's queue; its id."""
        run_id = str(uuid.uuid4())
        command = [sys.executable, "-m", "dagster", "job", "launch", "-w", str(self.workspace), "-j", job]
        command += ["--run-id", run_id, "--tags", json.dumps(dict(tags))]
        done = subprocess.run(command, env=self.environ, cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return run_id

    def wait(self, what: str, until: Callable[[], bool], seconds: float = 120) -> None:
        end = time.monotonic() + seconds
        while not until():
            if time.monotonic() > end:
                logs = {name: (self.logs / name).read_text()[-3000:] for name in self.processes}
                pytest.fail(
                    f"{what}: not after {seconds:.0f} s\n" + "\n".join(f"--- {k}\n{v}" for k, v in logs.items())
                )
            time.sleep(0.2)


@pytest.fixture
def cluster(
    short_folder: Path, database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Cluster]:
    broker = os.environ.get("HOLDFAST_BROKER_URL") or for_celery(redis_url)
    results = os.environ.get("HOLDFAST_RESULTS_URL") or for_celery(redis_url)
    values = {
        "HOLDFAST_VAR": str(short_folder),
        "HOLDFAST_POSTGRES_URL": database_url,
        "HOLDFAST_REDIS_URL": redis_url,
        "HOLDFAST_BROKER_URL": broker,
        "HOLDFAST_RESULTS_URL": results,
        "HOLDFAST_DAGSTER_STORAGE_URL": dagster_storage_url(database_url),
        "HOLDFAST_DAGSTER_ARTIFACTS": str(short_folder / "artifacts"),
        "HOLDFAST_DAGSTER_LOGS": str(short_folder / "output"),
        "PYTHONPATH": str(ROOT),
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    cluster = Cluster(short_folder, os.environ)
    try:
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture
def instance(cluster: Cluster) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.from_config(str(cluster.home)) as instance:
        yield instance


def test_a_load_goes_from_the_queue_of_its_job_to_a_worker_and_ends_well(
    cluster: Cluster, instance: dg.DagsterInstance, short_folder: Path
) -> None:
    port_file = short_folder / "ils-port"
    command = [sys.executable, "-m", "demo.ils", "--data", str(short_folder / "ils"), "--port", "0"]
    ils = cluster.start("ils", *command, "--port-file", str(port_file))
    login = {"HOLDFAST_ILS_TENANT": "demo", "HOLDFAST_ILS_USER": "demo", "HOLDFAST_ILS_PASSWORD": "demo-secret"}
    cluster.environ |= login | {"HOLDFAST_ILS_URL": f"http://127.0.0.1:{wait_for_file(port_file, ils)}"}
    cluster.serve("catalog", "-m", "catalog_assets.definitions", "-d", str(ROOT))
    worker = cluster.work("ils.sync.holdings")

    day = "2026-01-02"
    partition = {
        "dagster/partition": f"{day}|ebooks",
        "dagster/partition/day": day,
        "dagster/partition/source": "ebooks",
    }
    run_id = cluster.launch("catalogue_load", partition)
    cluster.wait("the run", lambda: instance.get_run_by_id(run_id).is_finished)

    run = instance.get_run_by_id(run_id)
    records = instance.all_logs(run_id)
    assert run.status is dg.DagsterRunStatus.SUCCESS, [each.message for each in records][-5:]
    forwarded = next(each for each in records if "forwarded to the broker" in each.message)
    assert forwarded.dagster_event.engine_event_data.metadata["Celery Queue"].value == "ils.sync.holdings"
    began = next(each for each in records if each.message.startswith("Started process for run"))
    pid = began.dagster_event.engine_event_data.metadata["pid"].value
    assert int(pid) in {child.pid for child in worker.children(recursive=True)}
    assert len(instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)) == 7


def test_a_run_whose_worker_is_killed_is_failed_and_tried_again(
    cluster: Cluster, instance: dg.DagsterInstance, short_folder: Path
) -> None:
    (short_folder / "patient.py").write_text(PATIENT)
    cluster.serve("patient", "-f", str(short_folder / "patient.py"))
    cluster.work("compute_intensive")
    run_id = cluster.launch("wait", {})
    trace = short_folder / "trace"
    cluster.wait("the first try", lambda: trace.exists() and trace.read_text().endswith("\n"))
    psutil.Process(int(trace.read_text())).kill()
    cluster.wait("the verdict", lambda: instance.get_run_by_id(run_id).is_finished)
    assert instance.get_run_by_id(run_id).status is dg.DagsterRunStatus.FAILURE

    retries = dg.RunsFilter(tags={"dagster/parent_run_id": run_id}, statuses=[dg.DagsterRunStatus.SUCCESS])
    cluster.wait("the retry", lambda: instance.get_runs_count(retries) == 1)
    assert len(trace.read_text().splitlines()) == 2
