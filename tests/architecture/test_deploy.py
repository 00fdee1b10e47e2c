"""What is deployed is what is developed: the files of deploy/ agree with the root's and with each other."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from dagster._core.instance.config import dagster_instance_config
from dagster_celery.launcher import CeleryRunLauncher
from dagster_celery.tags import DAGSTER_CELERY_QUEUE_TAG

from holdfast.environment import VARIABLES, read_environment

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
QUEUES = {
    "marc21.parse",
    "ils.sync.holdings",
    "circulation.delta.apply",
    "ingestion_high",
    "iiif.validate",
    "compute_intensive",
    "io_bound",
    "default",
}
# What a launch by way of a queue brings with it: the wait there, and a worker that vanishes without a word.
LAUNCHING = {"run_launcher", "run_monitoring.start_timeout_seconds", "run_monitoring.max_runtime_seconds"}
QUEUE_OF = {
    "catalogue_load": "ils.sync.holdings",
    "approve_plan": "default",
    "write_approved_plan": "ils.sync.holdings",
    "write_approved_feed": "ils.sync.holdings",
    "changed_rules": "marc21.parse",
    "authority_load": "marc21.parse",
    "authority_linking": "marc21.parse",
    "authority_what_if_report": "marc21.parse",
    "completeness": "marc21.parse",
    "quality_reporting": "marc21.parse",
    "holdings_reading": "ils.sync.holdings",
    "feed_load": "ils.sync.holdings",
    "partner_export": "marc21.parse",
    "circulation_reading": "circulation.delta.apply",
    "museum_load": "ingestion_high",
    "digitization": "compute_intensive",
    **dict.fromkeys(("halt_ingestion", "resume_ingestion", "release_quarantine"), "default"),
    **dict.fromkeys(("reconcile_window", "replay_window", "rollback_window"), "ils.sync.holdings"),
}


def read(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text())


def leaves(tree: dict[str, Any]) -> dict[str, Any]:
    """Top-level keys, and those one below for run_monitoring, with what they hold."""
    monitoring = {f"run_monitoring.{key}": value for key, value in tree["run_monitoring"].items()}
    return {key: value for key, value in tree.items() if key != "run_monitoring"} | monitoring


def workers(text: str) -> set[str]:
    """Queues that some worker in a compose file or manifest takes runs from."""
    found = re.findall(r"deploy/celery/worker[\"',\s]+([a-z0-9_.,]+)", text)
    return {queue for each in found for queue in each.split(",")}


def test_the_clusters_instance_differs_from_the_laptops_in_how_runs_are_launched_and_in_nothing_else() -> None:
    laptop, cluster = leaves(read(ROOT / "dagster.yaml")), leaves(read(DEPLOY / "celery" / "dagster.yaml"))
    differing = {key for key in laptop.keys() | cluster.keys() if laptop.get(key) != cluster.get(key)}
    assert differing == LAUNCHING


def test_dagster_takes_the_clusters_instance(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOLDFAST_BROKER_URL", "HOLDFAST_RESULTS_URL"):
        monkeypatch.setenv(name, "redis://127.0.0.1/9")
    monkeypatch.setenv("HOLDFAST_DAGSTER_STORAGE_URL", "postgresql+psycopg2://127.0.0.1/none")
    config, _ = dagster_instance_config(str(DEPLOY / "celery"))
    launcher = config["run_launcher"]
    assert (launcher["module"], launcher["class"]) == ("dagster_celery.launcher", "CeleryRunLauncher")
    checked = dg._config.process_config(CeleryRunLauncher.config_type(), launcher["config"])
    assert checked.success, checked.errors
    assert checked.value["broker"] == checked.value["backend"] == "redis://127.0.0.1/9"
    assert checked.value["default_queue"] == "default"


def test_a_run_outlives_neither_its_state_nor_a_lost_workers_verdict() -> None:
    settings: dict[str, Any] = {"__name__": "dagster_celery_config"}
    text = (DEPLOY / "celery" / "dagster_celery_config.py").read_text()
    before = dict(os.environ)
    os.environ |= {"HOLDFAST_BROKER_URL": "amqp://h", "HOLDFAST_RESULTS_URL": "redis://h"}
    try:
        exec(compile(text, "dagster_celery_config.py", "exec"), settings)
    finally:
        os.environ.clear()
        os.environ.update(before)
    longest = read(DEPLOY / "celery" / "dagster.yaml")["run_monitoring"]["max_runtime_seconds"]
    assert settings["result_expires"] > longest
    assert settings["task_acks_late"] is False
    assert settings["task_default_queue"] == "default"
    assert settings["worker_disable_prefetch"] is False, "only Redis can"


@pytest.mark.dagster
def test_every_job_names_the_queue_of_its_work() -> None:
    from catalog_assets.definitions import build_defs as catalog
    from preservation_assets.definitions import build_defs as preservation

    jobs = [job for defs in (catalog(), preservation()) for job in defs.jobs or []]
    found = {job.name: (job.tags or {}).get(DAGSTER_CELERY_QUEUE_TAG) for job in jobs}
    assert {"catalogue_load", "digitization"} <= found.keys()
    assert found == {name: QUEUE_OF[name] for name in found}
    assert set(QUEUE_OF.values()) <= QUEUES


def test_the_readme_names_the_queue_of_every_job() -> None:
    said: dict[str, str] = {}
    for queue, jobs in re.findall(
        r"^\| `([a-z0-9_.]+)` \| [^|]* \| ([^|]*) \|$", (DEPLOY / "README.md").read_text(), re.M
    ):
        said |= dict.fromkeys(re.findall(r"`(\w+)`", jobs), queue)
    assert said == QUEUE_OF


def test_logins_reach_every_process_from_a_file_of_their_own() -> None:
    services = read(DEPLOY / "compose.yaml")["services"]
    ours = {name: each for name, each in services.items() if each.get("image") == "holdfast"}
    assert len(ours) == 8 and all(
        each["env_file"] == [{"path": "logins.env", "required": False}] for each in ours.values()
    )
    example = (DEPLOY / "logins.env.example").read_text()
    names = re.findall(r"^(\w+)=$", example, re.M)
    assert (
        len(read_environment(dict.fromkeys(names, "x")).describe()) == len(VARIABLES) + len(names) == len(VARIABLES) + 5
    )
    pods = [each for each in yaml.safe_load_all((DEPLOY / "helm" / "workers.yaml").read_text()) if each]
    for pod in pods:
        (container,) = pod["spec"]["template"]["spec"]["containers"]
        assert {"secretRef": {"name": "holdfast-logins", "optional": True}} in container["envFrom"]
    values = read(DEPLOY / "helm" / "values.yaml")
    location = values["dagster-user-deployments"]["deployments"]
    for each in (values["dagsterWebserver"], values["dagsterDaemon"], *location):
        assert {"name": "holdfast-logins", "optional": True} in each["envSecrets"]


@pytest.mark.parametrize("file", ["compose.yaml", "helm/workers.yaml"])
def test_every_queue_has_a_worker(file: str) -> None:
    assert workers((DEPLOY / file).read_text()) == QUEUES


@pytest.mark.parametrize("queues", sorted(QUEUES))
def test_the_worker_script_takes_every_queue(queues: str) -> None:
    environ = {"PATH": os.environ["PATH"], "PYTHON": "echo", "HOLDFAST_BROKER_URL": "x", "HOLDFAST_RESULTS_URL": "x"}
    done = subprocess.run(
        [DEPLOY / "celery" / "worker", f"{queues},default", "-n", "w"],
        env=environ | {"DAGSTER_HOME": "x"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == (
        f"-m celery -A dagster_celery.app worker --queues {queues},default --loglevel INFO -n w".split()
    )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "which queues?"),
        (["ils.sync.holding"], "ils.sync.holding: no such queue"),
        (["default,marc21"], "marc21: no such queue"),
        (["default"], "HOLDFAST_BROKER_URL is not set"),
    ],
)
def test_the_worker_script_refuses_what_would_take_no_run(arguments: list[str], says: str) -> None:
    done = subprocess.run(
        [DEPLOY / "celery" / "worker", *arguments],
        env={"PATH": os.environ["PATH"], "PYTHON": "echo"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2 and says in done.stderr and not done.stdout


def test_compose_publishes_on_this_machine_only_and_holds_no_secret() -> None:
    services = read(DEPLOY / "compose.yaml")["services"]
    ports = [port for each in services.values() for port in each.get("ports", [])]
    assert ports and all(port.startswith("127.0.0.1:") for port in ports)
    text = (DEPLOY / "compose.yaml").read_text()
    secret = re.findall(r"^ +\w*(?:PASSWORD|PASS|SALT|KEY): *(.*)$", text, re.M)
    secret += re.findall(r"://\w*:([^@]*)@", text)
    assert len(secret) > 8 and all(re.fullmatch(r'"?\$\{\w+(:\?[^}]*)?\}"?', value) for value in secret), secret
    example = (DEPLOY / "secrets.env.example").read_text()
    for name in set(re.findall(r"\$\{(\w+)", text)):
        assert f"{name}=" in example, f"{name} is missing in secrets.env.example"


def test_every_variable_that_is_deployed_is_one_that_holdfast_reads() -> None:
    known = {variable.name for variable in VARIABLES}
    for file in [*DEPLOY.rglob("*.yaml"), *DEPLOY.rglob("*.py"), DEPLOY / "Dockerfile"]:
        named = set(re.findall(r"HOLDFAST_[A-Z_]*[A-Z]\b(?!_)", file.read_text()))
        assert named <= known, f"{file.name}: {named - known}"
    environment = read(DEPLOY / "compose.yaml")["x-holdfast"]["environment"]
    given = {
        "ILS_URL": "https://ils",
        "REPORTS_URL": "",
        "ELASTICSEARCH_URL": "http://search",
        "VAULT_KEY": "eHh4" * 10 + "eHg=",
    }
    filled = {
        name: re.sub(r"\$\{(\w+)[^}]*\}", lambda found: given.get(found[1], "x" * 20), value)
        for name, value in environment.items()
    }
    read_environment({name: value for name, value in filled.items() if name.startswith("HOLDFAST_")})


def test_the_code_locations_are_the_workspaces_in_every_deployment() -> None:
    local = {
        each["python_module"]["location_name"]: each["python_module"]
        for each in read(ROOT / "workspace.yaml")["load_from"]
    }
    remote = {
        each["grpc_server"]["location_name"]: each["grpc_server"]
        for each in read(DEPLOY / "celery/workspace.yaml")["load_from"]
    }
    assert local.keys() == remote.keys()
    services = read(DEPLOY / "compose.yaml")["services"]
    for name, server in remote.items():
        command = services[server["host"]]["command"]
        assert command[command.index("-m") + 1] == local[name]["module_name"]
        assert command[command.index("-p") + 1] == str(server["port"])
    deployments = read(DEPLOY / "helm" / "values.yaml")["dagster-user-deployments"]["deployments"]
    modules = {each["name"]: each["codeServerArgs"][each["codeServerArgs"].index("-m") + 1] for each in deployments}
    assert modules == {name: each["module_name"] for name, each in local.items()}


def test_the_charts_values_repeat_the_clusters_instance() -> None:
    cluster, values = read(DEPLOY / "celery" / "dagster.yaml"), read(DEPLOY / "helm" / "values.yaml")
    launcher = values["runLauncher"]
    assert launcher["type"] == "CustomRunLauncher"
    assert launcher["config"]["customRunLauncher"] == cluster["run_launcher"]
    daemon = values["dagsterDaemon"]
    queued = cluster["run_coordinator"]["config"]
    assert daemon["runCoordinator"]["config"]["queuedRunCoordinator"] == {
        "maxConcurrentRuns": queued["max_concurrent_runs"],
        "dequeueIntervalSeconds": queued["dequeue_interval_seconds"],
        "tagConcurrencyLimits": queued["tag_concurrency_limits"],
    }
    assert daemon["runMonitoring"] == {
        "enabled": True,
        "startTimeoutSeconds": cluster["run_monitoring"]["start_timeout_seconds"],
        "maxRuntimeSeconds": cluster["run_monitoring"]["max_runtime_seconds"],
        "maxResumeRunAttempts": cluster["run_monitoring"]["max_resume_run_attempts"],
        "pollIntervalSeconds": cluster["run_monitoring"]["poll_interval_seconds"],
    }
    retries = cluster["run_retries"]
    assert daemon["runRetries"] == {
        "enabled": retries["enabled"],
        "maxRetries": retries["max_retries"],
        "retryOnAssetOrOpFailure": retries["retry_on_asset_or_op_failure"],
    }
