"""`holdfast recover JOB`: launches a job of recovery in a running Dagster, for who has no browser at hand."""

from __future__ import annotations

import argparse
import json
from contextlib import closing
from typing import Any

from commands.graphql import DagsterApi

# Job → its op, which has the form.
JOBS = {
    "halt_ingestion": "halt",
    "resume_ingestion": "resume",
    "reconcile_window": "reconcile",
    "replay_window": "replay",
    "rollback_window": "roll_back",
    "release_quarantine": "release",
}


def add(parsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = parsers.add_parser("recover", help="launch a job of recovery, as the form in the UI does")
    parser.add_argument("job", choices=tuple(JOBS), help="docs/operations has a page for each")
    parser.add_argument(
        "--window",
        default="",
        metavar="DAY|SOURCE",
        help="of reconcile_, replay_ and rollback_window (of the last two also a feed's)",
    )
    parser.add_argument("--who", required=True, help="your name: it is kept")
    parser.add_argument("--why", required=True, help="the reason: it is kept, too")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a field of the form, as dry_run=false; may be repeated",
    )
    parser.add_argument("--url", default="http://127.0.0.1:3000", help="of Dagster's webserver")
    parser.set_defaults(call=recover)


def form_of(settings: list[str]) -> dict[str, Any]:
    """Fields of the form; values as in JSON (false, 60, [1, 2]), else text."""
    return {key: _value(text) for key, _, text in (each.partition("=") for each in settings)}


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def recover(arguments: argparse.Namespace) -> int:
    """0 once it is launched."""
    form = {"who": arguments.who, "why": arguments.why, **form_of(arguments.set)}
    day, _, source = arguments.window.partition("|")
    with closing(DagsterApi(arguments.url)) as api:
        run = api.launch(
            "catalog",
            arguments.job,
            arguments.window,
            {"day": day, "source": source} if arguments.window else None,
            run_config={"ops": {JOBS[arguments.job]: {"config": form}}},
        )
    print(f"{arguments.url}/runs/{run}")
    return 0
