"""`holdfast halt` and `holdfast resume`: straight into PostgreSQL, also while Dagster is down."""

from __future__ import annotations

import argparse
from contextlib import closing
from pathlib import Path

from commands.running import use_what_runs
from holdfast.environment import read_environment
from holdfast.settings import SettingsError, load_settings
from resources.postgres.client import Postgres
from resources.postgres.halts import Halts, Scope


def add(parsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    texts = {"halt": "stop a source, a queue or all", "resume": "lift a halt"}
    for action, text in texts.items():
        parser = parsers.add_parser(action, help=f"{text}; without a scope: say what is halted")
        scope = parser.add_mutually_exclusive_group()
        scope.add_argument("--all", action="store_true", help="everything")
        scope.add_argument("--source", default="", help="a source or feed of holdfast.toml")
        scope.add_argument("--queue", default="", help="a queue of the workers, as ils.sync.holdings")
        parser.add_argument("--who", default="", help="your name: it is kept")
        parser.add_argument("--why", default="", help="the reason: it is kept, too")
        parser.add_argument("--config", type=Path, help="another holdfast.toml")
        parser.set_defaults(call=halt_or_resume)


def halt_or_resume(arguments: argparse.Namespace) -> int:
    """0 where it was done or asked only, 1 where there was nothing to lift."""
    settings = load_settings(arguments.config)
    use_what_runs(settings)
    scope: Scope = "all" if arguments.all else "source" if arguments.source else "queue"
    name = arguments.source or arguments.queue
    if arguments.source and arguments.source not in {*settings.sources, *settings.feeds}:
        raise SettingsError(
            f"--source {name}: no such source (allowed: {', '.join(sorted({*settings.sources, *settings.feeds}))})"
        )
    asked = arguments.all or name
    if asked and not (arguments.who.strip() and arguments.why.strip()):
        raise SettingsError("--who and --why are needed: they are kept with what is done")
    with closing(Postgres(read_environment().need("HOLDFAST_POSTGRES_URL"), connections=1)) as postgres:
        postgres.migrate()
        halts, done = Halts(postgres), True
        if asked and arguments.command == "halt":
            halts.halt(scope, name, arguments.who, arguments.why)
        elif asked:
            done = halts.resume(scope, name, arguments.who, arguments.why) is not None
        standing = [each.sentence for each in halts.standing()]
    print("\n".join(standing) or "nothing is halted")
    return 0 if done else 1
