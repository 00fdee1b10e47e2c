"""`holdfast services start|stop|status`: PostgreSQL and Redis for whoever has none."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

from holdfast.environment import read_environment
from holdfast.settings import load_settings
from resources.embedded.environment import changed, service_environment
from resources.embedded.services import status, stop


def add(parsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = parsers.add_parser(
        "services",
        help="start, stop or look at the embedded PostgreSQL and Redis",
        description="The embedded PostgreSQL and Redis. They run on until they are stopped. "
        'For a shell of its own: eval "$(holdfast services start)"',
    )
    parser.add_argument("--config", type=Path, help="another holdfast.toml")
    actions = parser.add_subparsers(dest="action", required=True, metavar="start|stop|status")
    for name, call, what in (
        ("start", services_start, "start what does not run, and print the variables for `eval`"),
        ("stop", services_stop, "stop what runs for this VAR, and nothing else"),
        ("status", services_status, "say what runs; exit code 1 when something does not"),
    ):
        actions.add_parser(name, help=what, description=what).set_defaults(call=call)


def services_start(arguments: argparse.Namespace) -> int:
    settings = load_settings(arguments.config)
    for name, value in changed(service_environment(settings)).items():
        print(f"export {name}={shlex.quote(value)}")
    if sys.stdout.isatty():
        print('These are for `eval "$(holdfast services start)"`', file=sys.stderr)
    return 0


def services_stop(arguments: argparse.Namespace) -> int:
    settings = load_settings(arguments.config)
    stopped = stop(settings.var)
    print(f"stopped {' and '.join(stopped)}" if stopped else "nothing to stop")
    return 0


def services_status(arguments: argparse.Namespace) -> int:
    settings = load_settings(arguments.config)
    given = read_environment()
    healthy = True
    for name, state in status(settings.var).items():
        variable = f"HOLDFAST_{name.upper()}_URL"
        if given.get(variable) and given.get(variable) != state.url:
            print(f"{name:9} {variable} is set; the embedded one is {'running' if state.running else 'not running'}")
            continue
        healthy = healthy and state.answers
        if state.answers:
            print(f"{name:9} runs (process {state.pid}), data in {state.data}")
        elif state.running:
            print(f"{name:9} runs (process {state.pid}) and does not answer; `holdfast services start` mends it")
        else:
            print(f"{name:9} does not run")
    return 0 if healthy else 1
