"""The `holdfast` command: finds the subcommand and turns its errors into one line and an exit code."""

from __future__ import annotations

import argparse
import sys
from importlib import import_module

# Command → its module of `commands`, brought in only when it is asked for: most of them need Dagster, `marc` does not.
COMMANDS = {
    "run": "run",
    "stop": "run",
    "check-config": "check_config",
    "export": "export",
    "scan": "scan",
    "search": "search",
    "authority": "authority",
    "marc": "marc",
    "reports": "reports",
    "halt": "halt",
    "resume": "halt",
    "recover": "recover",
    "services": "services",
    "governor": "governor",
    "setup": "setup",
    "reference": "reference",
}


def build_parser(*words: str) -> argparse.ArgumentParser:
    """The parser of the command that the words begin with; of all, where they begin with none."""
    parser = argparse.ArgumentParser(prog="holdfast", description="Loads that are previewed, provable and undoable.")
    parsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    if words[:1] == ("marc",):
        from commands import marc

        marc.add(parsers, *words[1:2])
        return parser
    modules = [COMMANDS[words[0]]] if words and words[0] in COMMANDS else dict.fromkeys(COMMANDS.values())
    for module in modules:
        import_module(f"commands.{module}").add(parsers)
    return parser


def main(argv: list[str] | None = None) -> int:
    given = sys.argv[1:] if argv is None else argv
    arguments = build_parser(*given).parse_args(given)
    try:
        return int(arguments.call(arguments))
    except Exception as error:
        if not isinstance(error, _told_errors()):
            raise
        print(error, file=sys.stderr)
        return 2


def _told_errors() -> tuple[type[Exception], ...]:
    """Errors whose text is meant for who called."""
    from commands.graphql import DagsterError
    from holdfast.marc.validation import RulesError
    from holdfast.settings import SettingsError
    from resources.embedded.errors import ServiceError
    from resources.lake.client import NotMaterialized
    from resources.partners.client import ExportOvertaken

    return SettingsError, RulesError, ServiceError, DagsterError, NotMaterialized, ExportOvertaken


if __name__ == "__main__":
    sys.exit(main())
