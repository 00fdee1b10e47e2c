"""Real servers for the tests: one PostgreSQL and one Redis a session, a database of its own a test."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import hypothesis
import psutil
import psycopg
import pytest
import redis

from resources.embedded.services import Services, start, stop
from resources.ils.folio import FolioClient
from resources.ils.koha import KohaClient
from resources.ledger.commit import Committer
from resources.postgres.client import Postgres
from tests.demo_ils import DemoIls
from tests.demo_koha import DemoKoha

ROOT = Path(__file__).resolve().parents[1]
SALT = "the salt of the tests: keep nothing real under it"
_PREFIX = "holdfast-tests-"

# Deadlines would fail a test for what the machine does beside it; derandomized, a red build is red again.
hypothesis.settings.register_profile(
    "holdfast",
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    max_examples=60,
    print_blob=True,
    suppress_health_check=[hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.function_scoped_fixture],
)
hypothesis.settings.load_profile("holdfast")


def pytest_configure() -> None:
    # What is imported while tests are collected must not find the developer's own VAR.
    os.environ["HOLDFAST_VAR"] = str(Path(tempfile.gettempdir()) / f"{_PREFIX}none")
    os.environ["HOLDFAST_MASKING_SALT"] = SALT


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """HOLDFAST_VAR in the test's own folder, and the salt of the tests."""
    monkeypatch.setenv("HOLDFAST_VAR", str(tmp_path / "var"))
    monkeypatch.setenv("HOLDFAST_MASKING_SALT", SALT)


@pytest.fixture(scope="session")
def data() -> Path:
    """Folder of the public test data (HOLDFAST_TEST_DATA); the test is skipped where it is missing."""
    folder = (ROOT / os.environ.get("HOLDFAST_TEST_DATA", "../shared/data")).resolve()
    if not folder.is_dir():
        pytest.skip(f"{folder}: no test data; set HOLDFAST_TEST_DATA")
    return folder


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """A folder with a short path, in which servers may have their sockets; what runs there in the end is stopped."""
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX)).resolve()
    (folder / "owner").write_text(str(os.getpid()))
    try:
        yield folder
    finally:
        _clear_away(folder)


@pytest.fixture(scope="session")
def services() -> Iterator[Services]:
    """The session's PostgreSQL and Redis: embedded ones, or those that HOLDFAST_POSTGRES_URL and HOLDFAST_REDIS_URL name.

    Use `postgres_url` and `redis_url`: given servers may hold what is not ours.
    """
    _sweep()
    given = {name: os.environ.get(f"HOLDFAST_{name.upper()}_URL", "") for name in ("postgres", "redis")}
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX)).resolve()
    (folder / "owner").write_text(str(os.getpid()))
    try:
        embedded = start(folder, [name for name, url in given.items() if not url])
        yield Services(
            postgres_url=given["postgres"] or embedded.postgres_url,
            redis_url=given["redis"] or embedded.redis_url,
            started=embedded.started,
        )
    finally:
        _clear_away(folder)


@pytest.fixture(scope="session")
def postgres_url(services: Services) -> Iterator[str]:
    """Address of a database for the session, made anew and dropped after."""
    with _fresh_database(services.postgres_url, "session") as url:
        yield url


@pytest.fixture(scope="session")
def redis_url(services: Services) -> Iterator[str]:
    """Address of a Redis database with nothing in it, emptied after."""
    address, _, query = services.redis_url.partition("?")
    others = "&".join(part for part in query.split("&") if part and not part.startswith("db="))
    for number in range(15, 0, -1):
        url = f"{address}?db={number}" + (f"&{others}" if others else "")
        with contextlib.closing(redis.Redis.from_url(url)) as client:
            if client.dbsize() == 0 and client.set("holdfast-tests", os.getpid(), nx=True):
                try:
                    yield url
                finally:
                    client.flushdb()
                return
    pytest.fail("HOLDFAST_REDIS_URL: databases 1 to 15 are all in use; the tests want an empty one")


@pytest.fixture(scope="session")
def _template(postgres_url: str) -> Iterator[str]:
    """Address of a migrated database that nobody is connected to, to be copied."""
    with _fresh_database(postgres_url, "template") as url:
        client = Postgres(url, connections=1)
        client.migrate()
        client.close()
        yield url


@pytest.fixture
def database_url(_template: str) -> Iterator[str]:
    """Address of a migrated database that is this test's alone."""
    with _fresh_database(_template, "test", template=urlsplit(_template).path.lstrip("/")) as url:
        yield url


@pytest.fixture
def postgres(database_url: str) -> Iterator[Postgres]:
    """A client of a migrated database that is this test's alone."""
    client = Postgres(database_url)
    try:
        yield client
    finally:
        client.close()


@pytest.fixture(scope="session")
def _demo_ils(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoIls]:
    running = DemoIls(tmp_path_factory.mktemp("demo-ils"))
    try:
        yield running
    finally:
        running.kill()


@pytest.fixture
def demo_ils(_demo_ils: DemoIls) -> DemoIls:
    """The session's demo ILS, empty and without faults. A test that kills it starts it again."""
    _demo_ils.reset()
    return _demo_ils


@pytest.fixture(scope="session")
def _demo_koha(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoKoha]:
    running = DemoKoha(tmp_path_factory.mktemp("demo-koha"))
    try:
        yield running
    finally:
        running.kill()


@pytest.fixture
def demo_koha(_demo_koha: DemoKoha) -> DemoKoha:
    """The session's demo Koha, empty and without faults. A test that kills it starts it again."""
    _demo_koha.reset()
    return _demo_koha


@pytest.fixture
def library(demo_ils: DemoIls, database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[DemoIls]:
    """The environment of a library, an empty one: ILS, PostgreSQL and Redis; gives the ILS."""
    monkeypatch.setenv("HOLDFAST_POSTGRES_URL", database_url)
    monkeypatch.setenv("HOLDFAST_REDIS_URL", redis_url)
    point_at(demo_ils, monkeypatch)
    yield demo_ils
    with contextlib.closing(redis.Redis.from_url(redis_url)) as client:
        for key in client.scan_iter("holdfast:*"):
            client.delete(key)


@pytest.fixture
def koha_library(
    demo_koha: DemoKoha, database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[DemoKoha]:
    """The environment and the settings of a library that has a Koha, an empty one; gives the Koha."""
    from catalog_assets.partitions import SETTINGS

    monkeypatch.setenv("HOLDFAST_POSTGRES_URL", database_url)
    monkeypatch.setenv("HOLDFAST_REDIS_URL", redis_url)
    monkeypatch.setenv("HOLDFAST_ILS_URL", demo_koha.url)
    monkeypatch.setenv("HOLDFAST_ILS_USER", "demo")
    monkeypatch.setenv("HOLDFAST_ILS_PASSWORD", "demo-secret")
    given = SETTINGS.model_dump(exclude_unset=True)
    given["ils"] = {**given.get("ils", {}), "adapter": "koha"}
    koha = type(SETTINGS).model_validate(given)
    # Settings are frozen, and every asset holds these.
    for name in ("ils", "sources"):
        monkeypatch.setitem(SETTINGS.__dict__, name, getattr(koha, name))
    yield demo_koha
    with contextlib.closing(redis.Redis.from_url(redis_url)) as client:
        for key in client.scan_iter("holdfast:*"):
            client.delete(key)


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits between attempts waits hundredths of a second."""

    def shorter(seconds: float) -> None:
        time.sleep(min(seconds, 0.02))

    for waiting in (FolioClient.__init__, KohaClient.__init__, Committer.__init__):
        monkeypatch.setitem(waiting.__kwdefaults__, "sleep", shorter)


def point_at(ils: DemoIls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_ILS_URL", ils.url)
    monkeypatch.setenv("HOLDFAST_ILS_TENANT", "demo")
    monkeypatch.setenv("HOLDFAST_ILS_USER", "demo")
    monkeypatch.setenv("HOLDFAST_ILS_PASSWORD", "demo-secret")


@contextlib.contextmanager
def _fresh_database(url: str, what: str, *, template: str = "template1") -> Iterator[str]:
    parts = urlsplit(url)
    name = f"holdfast_{what}_{uuid.uuid4().hex[:12]}"
    # A template must have no connection: the maintenance database is the one to give orders from.
    maintenance = urlunsplit(parts._replace(path="/postgres"))
    with psycopg.connect(maintenance, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    try:
        yield urlunsplit(parts._replace(path=f"/{name}"))
    finally:
        with psycopg.connect(maintenance, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def _clear_away(folder: Path) -> None:
    for var in [folder, *(each for each in folder.rglob("*") if (each / "services").is_dir())]:
        stop(var)
    shutil.rmtree(folder, ignore_errors=True)


def _sweep() -> None:
    """Stop what a test session left running that was killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError, ValueError):
            if folder.stat().st_uid == os.geteuid() and not psutil.pid_exists(int((folder / "owner").read_text())):
                _clear_away(folder)
