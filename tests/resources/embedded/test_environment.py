"""The environment that Holdfast's processes run in: given servers are used and checked, missing ones started."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml

from commands.main import main
from holdfast.settings import Settings, SettingsError, load_settings
from resources.embedded.environment import service_environment
from resources.embedded.errors import ServiceError
from resources.embedded.given import check_postgres, check_redis
from resources.embedded.masking_salt import kept_salt
from resources.embedded.services import dagster_storage_url, status, stop

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def settings(short_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The checkout's own, with nothing given."""
    monkeypatch.setenv("HOLDFAST_VAR", str(short_folder))
    for name in (
        "HOLDFAST_POSTGRES_URL",
        "HOLDFAST_REDIS_URL",
        "HOLDFAST_DAGSTER_STORAGE_URL",
        "HOLDFAST_MASKING_SALT",
    ):
        monkeypatch.delenv(name, raising=False)
    return load_settings(ROOT / "holdfast.toml")


@pytest.mark.services
def test_it_has_every_variable_that_dagster_yaml_wants(settings: Settings, short_folder: Path) -> None:
    values = service_environment(settings)

    def wanted(node: object) -> set[str]:
        if isinstance(node, dict):
            return {node["env"]} if set(node) == {"env"} else set().union(*(wanted(each) for each in node.values()))
        return set().union(*(wanted(each) for each in node)) if isinstance(node, list) else set()

    assert wanted(yaml.safe_load((ROOT / "dagster.yaml").read_text())) <= values.keys()
    assert values["DAGSTER_HOME"] == str(ROOT)
    assert values["HOLDFAST_DAGSTER_STORAGE_URL"].startswith("postgresql+psycopg2://")
    assert Path(values["HOLDFAST_DAGSTER_ARTIFACTS"]) == short_folder / "dagster" / "artifacts"
    assert Path(values["HOLDFAST_DAGSTER_LOGS"]).is_dir()
    assert values["HOLDFAST_MASKING_SALT"] == (short_folder / "secrets" / "masking_salt").read_text().strip()
    assert service_environment(settings) == values


@pytest.mark.services
@pytest.mark.dagster
def test_dagster_keeps_its_storage_in_it(settings: Settings) -> None:
    program = (
        "import dagster as dg\n"
        "with dg.DagsterInstance.get() as instance:\n"
        "    instance.add_dynamic_partitions('batch', ['one'])\n"
        "    print(type(instance.event_log_storage).__name__, instance.get_dynamic_partitions('batch'))\n"
    )
    environ = {**os.environ, **service_environment(settings)}
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environ, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == "PostgresEventLogStorage ['one']"


@pytest.mark.services
def test_given_servers_are_used_and_none_is_started(
    settings: Settings, short_folder: Path, postgres_url: str, redis_url: str
) -> None:
    given = {"HOLDFAST_POSTGRES_URL": postgres_url, "HOLDFAST_REDIS_URL": redis_url, "HOLDFAST_MASKING_SALT": "x" * 20}
    values = service_environment(settings, given)
    assert given.items() <= values.items()
    assert values["HOLDFAST_DAGSTER_STORAGE_URL"] == dagster_storage_url(postgres_url)
    assert not any(state.running for state in status(short_folder).values())
    assert not (short_folder / "secrets").exists()


@pytest.mark.services
def test_a_shell_that_still_has_the_addresses_of_stopped_servers_can_start_them_again(
    settings: Settings, short_folder: Path
) -> None:
    values = service_environment(settings, {})
    stop(short_folder)
    assert service_environment(settings, values) == values
    assert all(state.answers for state in status(short_folder).values())


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://someone:hidden@127.0.0.1:1/holdfast",
        "postgresql://someone:hidden@nowhere.invalid/holdfast",
        "postgresql://someone:hid#den@127.0.0.1/holdfast",
        "postgresql://someone:hidden@127.0.0.1:1/holdfast?nonsense=hidden",
        "postgresql://someone:hidden@/holdfast?host=/nowhere",
    ],
)
def test_a_postgresql_that_does_not_answer_is_named_by_its_variable_without_the_password(url: str) -> None:
    began = time.monotonic()
    with pytest.raises(ServiceError, match="HOLDFAST_POSTGRES_URL: no PostgreSQL answers at") as caught:
        check_postgres(url)
    assert time.monotonic() - began < 8
    for secret in ("hidden", "hid", "den", "someone"):
        assert secret not in str(caught.value)
    assert caught.value.__cause__ is None and caught.value.__suppress_context__


@pytest.mark.parametrize(
    "url",
    [
        "redis://:hidden@127.0.0.1:1/0",
        "redis://:hid#den@127.0.0.1/0",
        "rediss://someone:hidden@nowhere.invalid:6379/0",
        "unix:///nowhere/redis.sock?password=hidden",
        "redis://:hidden@127.0.0.1:1/0?socket_timeout=hidden",
    ],
)
def test_a_redis_that_does_not_answer_is_named_by_its_variable_without_the_password(url: str) -> None:
    with pytest.raises(ServiceError, match="HOLDFAST_REDIS_URL: no Redis answers at") as caught:
        check_redis(url)
    for secret in ("hidden", "hid#", "someone"):
        assert secret not in str(caught.value)


def test_an_address_of_another_kind_is_refused_before_anything_starts(settings: Settings, short_folder: Path) -> None:
    with pytest.raises(SettingsError, match="HOLDFAST_POSTGRES_URL: must start with postgresql://"):
        service_environment(settings, {"HOLDFAST_POSTGRES_URL": "mysql://127.0.0.1/x"})
    assert not (short_folder / "services").exists()


def test_the_salt_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        salts = set(pool.map(lambda _: kept_salt(tmp_path), range(32)))
    assert len(salts) == 1 and len(salts.pop()) >= 32
    file = tmp_path / "secrets" / "masking_salt"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert [entry.name for entry in file.parent.iterdir()] == ["masking_salt"]


def test_a_salt_that_was_cut_short_is_never_replaced(tmp_path: Path) -> None:
    file = tmp_path / "secrets" / "masking_salt"
    file.parent.mkdir()
    file.write_text("short\n")
    with pytest.raises(ServiceError, match="restore it from a backup"):
        kept_salt(tmp_path)
    assert file.read_text() == "short\n"


@pytest.mark.parametrize(
    ("given", "storage"),
    [
        ("postgresql://u:p@h:5432/d", "postgresql+psycopg2://u:p@h:5432/d"),
        ("postgres://u@/d?host=/s", "postgresql+psycopg2://u@/d?host=/s"),
        ("postgresql+psycopg2://h/d", "postgresql+psycopg2://h/d"),
    ],
)
def test_dagsters_driver_is_named_in_its_address(given: str, storage: str) -> None:
    assert dagster_storage_url(given) == storage


@pytest.mark.services
def test_the_command_starts_shows_and_stops_them(
    settings: Settings, short_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = ["services", "--config", str(ROOT / "holdfast.toml")]
    assert main([*config, "status"]) == 1
    capsys.readouterr()
    assert main([*config, "start"]) == 0
    script = capsys.readouterr().out
    shown = subprocess.run(
        ["/bin/sh", "-c", script + 'echo "$HOLDFAST_REDIS_URL $DAGSTER_HOME"'],
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout.split() == [status(short_folder)["redis"].url, str(ROOT)]
    assert main([*config, "status"]) == 0
    assert "postgres  runs (process" in capsys.readouterr().out
    assert main([*config, "stop"]) == 0
    assert capsys.readouterr().out == "stopped postgres and redis\n"
    assert main([*config, "stop"]) == 0
    assert capsys.readouterr().out == "nothing to stop\n"


def test_the_command_says_in_one_line_what_does_not_answer(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOLDFAST_POSTGRES_URL", "postgresql://u:hidden@127.0.0.1:1/x")
    assert main(["services", "--config", str(ROOT / "holdfast.toml"), "start"]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and err.startswith("HOLDFAST_POSTGRES_URL") and "hidden" not in err
