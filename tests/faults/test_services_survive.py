"""The embedded services after a kill -9 of whatever there is to kill, and after what such an end leaves behind."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import psutil
import psycopg
import pytest
import redis

from resources.embedded import server
from resources.embedded.account import account_for
from resources.embedded.errors import ServiceError
from resources.embedded.postgres import EmbeddedPostgres
from resources.embedded.processes import serving, wait_for_end
from resources.embedded.redis import EmbeddedRedis
from resources.embedded.services import Services, start, status, stop

pytestmark = [pytest.mark.services, pytest.mark.faults]
ROOT = Path(__file__).resolve().parents[2]
STARTER = """
import json, pathlib, sys
from resources.embedded.services import start
print("ready", flush=True)
sys.stdin.readline()
services = start(pathlib.Path(sys.argv[1]))
print(json.dumps([services.postgres_url, services.redis_url, services.started]), flush=True)
"""


def starter(var: Path) -> subprocess.Popen[str]:
    """A process that starts the services once a line is written to it."""
    process = subprocess.Popen(
        [sys.executable, "-c", STARTER, str(var)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def remember(services: Services, word: str) -> None:
    with psycopg.connect(services.postgres_url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS words (word text)")
        connection.execute("INSERT INTO words VALUES (%s)", [word])
    with closing(redis.Redis.from_url(services.redis_url)) as client:
        client.sadd("words", word)


def remembered(services: Services) -> tuple[set[str], set[str]]:
    with psycopg.connect(services.postgres_url) as connection:
        in_postgres = {row[0] for row in connection.execute("SELECT word FROM words").fetchall()}
    with closing(redis.Redis.from_url(services.redis_url)) as client:
        return in_postgres, {word.decode() for word in client.smembers("words")}


def kill(var: Path) -> None:
    """kill -9 of both servers; PostgreSQL's children see it and end by themselves."""
    for state in status(var).values():
        process = psutil.Process(state.pid)
        process.kill()
        wait_for_end([process], 10)


def test_killed_servers_come_back_with_what_was_committed(short_folder: Path) -> None:
    services = start(short_folder)
    for number in range(3):
        remember(services, str(number))
        kill(short_folder)
        services = start(short_folder)
        assert services.started == ("postgres", "redis")
        expected = {str(each) for each in range(number + 1)}
        assert remembered(services) == (expected, expected)


def test_one_killed_server_leaves_the_other_as_it_is(short_folder: Path) -> None:
    start(short_folder)
    before = status(short_folder)
    killed = psutil.Process(before["redis"].pid)
    killed.kill()
    wait_for_end([killed], 10)
    assert start(short_folder).started == ("redis",)
    assert status(short_folder)["postgres"].pid == before["postgres"].pid


def test_a_stale_pid_file_whose_number_another_program_has_does_not_matter(short_folder: Path) -> None:
    services = start(short_folder)
    remember(services, "kept")
    owner = (short_folder / "services/postgres/data").stat()
    kill(short_folder)
    credentials = {} if owner.st_uid == os.geteuid() else {"user": owner.st_uid, "group": owner.st_gid}
    # PostgreSQL itself would refuse to start: the number lives, and is of its own user.
    bystander = subprocess.Popen(["sleep", "60"], **credentials)
    try:
        for file in ("services/postgres/data/postmaster.pid", "services/postgres/socket/.s.PGSQL.5432.lock"):
            lines = (short_folder / file).read_text().splitlines()
            (short_folder / file).write_text("\n".join([str(bystander.pid), *lines[1:]]) + "\n")
        assert not any(state.running for state in status(short_folder).values())
        services = start(short_folder)
        assert remembered(services) == ({"kept"}, {"kept"})
        stop(short_folder)
        assert bystander.poll() is None, "a bystander was stopped"
    finally:
        bystander.kill()
        bystander.wait()


def test_a_stale_socket_and_a_vanished_one_are_made_anew(short_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_SILENCE_SECONDS", 0.5)
    services = start(short_folder)
    remember(services, "kept")
    kill(short_folder)
    assert (short_folder / "services/redis/socket/redis.sock").exists(), "nothing stale to test with"
    services = start(short_folder)
    # A cleaner of temporary files takes the sockets away from under servers that live.
    for socket in [*short_folder.glob("services/*/socket/*"), *short_folder.glob("services/*/socket/.s.*")]:
        socket.unlink(missing_ok=True)
    services = start(short_folder)
    assert services.started == ("postgres", "redis")
    assert remembered(services) == ({"kept"}, {"kept"})
    for name, program in (("postgres", "postgres"), ("redis", "redis-server")):
        alone = serving(program, short_folder / "services" / name / "data")
        assert len([each for each in alone if each.ppid() not in {p.pid for p in alone}]) == 1


@pytest.mark.parametrize("content", ["", "{", '{"socket": 7}', "[]"])
def test_a_torn_record_is_no_obstacle(short_folder: Path, content: str) -> None:
    services = start(short_folder, ["redis"])
    with closing(redis.Redis.from_url(services.redis_url)) as client:
        client.set("word", "kept")
    (short_folder / "services/redis.json").write_text(content)
    services = start(short_folder, ["redis"])
    with closing(redis.Redis.from_url(services.redis_url)) as client:
        assert client.get("word") == b"kept"
    assert json.loads((short_folder / "services/redis.json").read_text())["url"] == services.redis_url


def test_a_torn_end_of_the_append_only_file_is_cut_off(short_folder: Path) -> None:
    services = start(short_folder, ["redis"])
    with closing(redis.Redis.from_url(services.redis_url)) as client:
        for number in range(100):
            client.set(f"key {number}", number)
    process = psutil.Process(status(short_folder)["redis"].pid)
    process.kill()
    wait_for_end([process], 10)
    file = next(path for path in (short_folder / "services/redis/data").rglob("*.aof*") if path.stat().st_size)
    with file.open("r+b") as written:
        written.truncate(file.stat().st_size - 5)
    services = start(short_folder, ["redis"])
    with closing(redis.Redis.from_url(services.redis_url)) as client:
        assert client.dbsize() == 99


def test_processes_that_start_at_the_same_time_share_one_pair_of_servers(short_folder: Path) -> None:
    starters = [starter(short_folder) for _ in range(3)]
    for process in starters:
        go(process)
    answers = [json.loads(process.communicate(timeout=60)[0]) for process in starters]
    assert len({(postgres_url, redis_url) for postgres_url, redis_url, _ in answers}) == 1
    assert sorted(name for _, _, started in answers for name in started) == ["postgres", "redis"]


@pytest.mark.parametrize("after", [0.01, 0.1, 0.3, 0.5])
def test_a_starter_killed_half_way_leaves_nothing_that_stops_the_next(short_folder: Path, after: float) -> None:
    process = starter(short_folder)
    go(process)
    time.sleep(after)
    process.kill()
    process.communicate()
    services = start(short_folder)
    remember(services, "kept")
    assert remembered(services) == ({"kept"}, {"kept"})
    assert start(short_folder).started == ()
    stop(short_folder)
    assert not list(short_folder.glob("services/postgres/data.partial-*"))


@pytest.mark.parametrize("name", ["redis", "postgres"])
def test_a_shell_that_becomes_a_server_after_its_starter_was_killed_is_ended(short_folder: Path, name: str) -> None:
    start(short_folder, [name])
    stop(short_folder)
    service = {"redis": EmbeddedRedis, "postgres": EmbeddedPostgres}[name](short_folder)
    account = account_for(service.data, may_be_root=service.may_be_root)
    lately = ["sh", "-c", 'sleep 0.7; exec "$@"', "sh", *service.command(service.folder / "socket", account)]
    with (service.folder / "alive").open("r+") as alive:
        fcntl.flock(alive, fcntl.LOCK_EX)
        orphan = subprocess.Popen(lately, cwd=service.data, pass_fds=[alive.fileno()], **account.credentials())
    assert start(short_folder, [name]).started == (name,)
    assert orphan.wait(10) is not None
    assert status(short_folder)[name].answers


def test_children_that_outlive_their_server_are_ended_before_the_next_starts(
    short_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_SILENCE_SECONDS", 0.5)
    monkeypatch.setattr(server, "_PATIENCE_SECONDS", 1)
    services = start(short_folder, ["postgres"])
    postmaster = psutil.Process(status(short_folder)["postgres"].pid)
    with closing(psycopg.connect(services.postgres_url)) as connection:
        row = connection.execute("SELECT pg_backend_pid()").fetchone()
        assert row is not None
        stuck = psutil.Process(row[0])
        stuck.suspend()  # it can't see that its server is gone
        postmaster.kill()
        wait_for_end([postmaster], 10)
        assert stuck.is_running()
        assert start(short_folder, ["postgres"]).started == ("postgres",)
        assert not stuck.is_running() or stuck.status() == psutil.STATUS_ZOMBIE


def test_data_in_use_by_a_server_that_cant_be_seen_are_not_touched(
    short_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_PATIENCE_SECONDS", 0.2)
    start(short_folder, ["redis"])
    stop(short_folder)
    with (short_folder / "services/redis/alive").open("r+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(ServiceError, match="another container"):
            start(short_folder, ["redis"])
