"""Dagster's webserver, daemon and code servers, as one process that `holdfast run` starts."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping

from commands.graphql import DagsterApi, DagsterError
from commands.processes import CHECKOUT, Started, free_port
from holdfast.settings import Settings

LOCATIONS = {"catalog", "preservation"}


def start_dagster(
    settings: Settings, started: Started, environ: Mapping[str, str], port: int, say: Callable[[str], None]
) -> str:
    """Address of the UI, once both code locations are loaded.

    Raises:
        DagsterError: it did not come up; the message names its log.
    """
    address = settings.var / "run" / "dagster.url"
    if started.find("dagster") and address.is_file():
        url = address.read_text()
        say(f"Dagster runs at {url}")
    else:
        port = free_port(port)
        url = f"http://127.0.0.1:{port}"
        say(f"starting Dagster at {url}")
        # Telemetry and the nux pop-up would reach out to the network.
        command = [sys.executable, "-m", "dagster", "dev", "-w", "workspace.yaml", "-h", "127.0.0.1", "-p", str(port)]
        started.start("dagster", command, environ, cwd=CHECKOUT)
        address.write_text(url)
    api = DagsterApi(url)
    try:
        api.wait_until_loaded(LOCATIONS)
    except DagsterError as error:
        raise DagsterError(f"{error}; its log: {started.log('dagster')}") from error
    finally:
        api.close()
    say("both code locations are loaded")
    return url
