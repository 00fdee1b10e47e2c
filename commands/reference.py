"""`holdfast reference`: the pages of docs/reference, made from the code, so that they are true to it."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel

from holdfast.environment import LOGINS, VARIABLES
from holdfast.feeds.elements import ELEMENTS, KEYS, Element, FeedKind
from holdfast.glossary import CHANGES, COLUMNS, FEEDS, PAGES
from holdfast.marc.crosswalk import vocabulary as crosswalk
from holdfast.marc.faults import FAULTS
from holdfast.marc.validation.issues import KINDS
from holdfast.settings import Settings
from resources.ils.elements import FOLIO, KOHA


def add(parsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = parsers.add_parser("reference", help="write the reference pages of the docs from the code")
    parser.add_argument("--to", type=Path, default=Path("docs/reference"), metavar="DIR")
    parser.set_defaults(call=write_reference)


def write_reference(arguments: argparse.Namespace) -> int:
    arguments.to.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (arguments.to / name).write_text(text)
        print(arguments.to / name)
    return 0


def pages() -> dict[str, str]:
    """Name of the page → its text."""
    return {
        "settings.md": _settings(),
        "faults.md": _faults(),
        "issues.md": _issues(),
        "columns.md": _columns(),
        "feeds.md": _feeds(),
        "bibframe.md": _bibframe(),
        "commands.md": _commands(),
    }


def _feeds() -> str:
    def row(name: str, kind: FeedKind, element: Element) -> tuple[str, ...]:
        key = "yes" if name in KEYS[kind] else ""
        masked = "yes" if element.masked else ""
        system = [("FOLIO", FOLIO), ("Koha", KOHA)]
        places = [f"`{table[kind][name].pointer}`" if name in table[kind] else "" for _, table in system]
        return f"`{name}`", element.about, element.shape, masked, key, *places

    head = ("element", "what", "form", "private", "may be the key", "FOLIO", "Koha")
    parts = [
        f"## {kind}\n\n{_table(head, [row(name, kind, element) for name, element in elements.items()])}"
        for kind, elements in ELEMENTS.items()
    ]
    return (
        "# Elements of feeds\n\nA feed maps its columns to these ([how to](../how-to/patron-and-item-feeds.md)). What is private is "
        "kept as a token. The last columns say where the library system keeps it (JSON pointer); empty: it has no place for it.\n\n"
        + "\n".join(parts)
    )


def _bibframe() -> str:
    def rows(table: dict[str, Any], *, before: str = "bf:") -> list[tuple[str, ...]]:
        return [
            (f"`{before}{name}`", *(f"`{cell}`" if cell.strip() else "" for cell in place))
            for name, place in table.items()
        ]

    parts = [
        ("Identifiers", ("class", "field", "first indicator", "before the value", "$2"), rows(crosswalk.IDENTIFIERS)),
        ("Classifications", ("class", "field", "second indicator"), rows(crosswalk.CLASSIFICATIONS)),
        ("Texts of Work and Instance", ("property", "field", "indicators", "subfield"), rows(crosswalk.TEXTS)),
        ("Notes", ("note type", "field", "subfield"), rows(crosswalk.NOTES, before="mnotetype/")),
        (
            "Provision activities",
            ("class", "264, second indicator"),
            rows({k: (v,) for k, v in crosswalk.PROVISIONS.items()}),
        ),
        ("Agents", ("class", "X in 1XX, 6XX, 7XX", "first indicator"), rows(crosswalk.AGENTS)),
        ("Subjects", ("class", "field", "behind another one"), rows(crosswalk.SUBJECTS)),
        ("Links", ("property", "field", "second indicator"), rows(crosswalk.LINKS)),
    ]
    text = (
        "# BIBFRAME as MARC\n\nHow BIBFRAME 2 is read: a record an Instance, with its Works and Items, by the Library of "
        "Congress's BIBFRAME to MARC conversion specifications. A MARC key (`bflc:marcKey`) is taken as it stands. What is "
        "tagged as another script becomes a linked 880. What has no place is in `unmapped` of the frames, by property.\n"
    )
    for title, head, table in parts:
        text += f"\n## {title}\n\n" + _table(head, table)
    return text


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for each in get_args(annotation) for model in _models(each)]


def _type(annotation: Any) -> str:
    text = str(annotation) if get_args(annotation) else getattr(annotation, "__name__", str(annotation))
    text = re.sub(r"Annotated\[(\w+), AfterValidator\([^)]*\)\]", r"\1", text)
    return re.sub(r"(typing|pathlib|datetime|holdfast\.settings\.\w+)\.", "", text)


def _default(field: Any) -> str:
    if field.is_required():
        return "(needed)"
    value = field.get_default(call_default_factory=True)
    return f"`{value}`" if str(value) else "(empty)"


def _settings() -> str:
    out = ["# Settings", "", "`holdfast.toml` holds what is a choice of the institution. A wrong key, type or value stops the start; "
           "`holdfast check-config` says so without starting anything.", ""]  # fmt: skip
    for table, field in Settings.model_fields.items():
        if table == "root":
            continue
        (model,) = _models(field.annotation)
        many = "dict" in str(field.annotation)
        out += [f"## `[{table}{'.NAME' if many else ''}]`", "", (model.__doc__ or "").strip(), ""]
        rows = [
            (f"`{name}`", f"`{_type(each.annotation)}`", _default(each), each.description or "")
            for name, each in model.model_fields.items()
        ]
        out.append(_table(("key", "type", "default", "what"), rows))
        for name, each in model.model_fields.items():
            out += _nested(f"{table}.NAME.{name}" if many else f"{table}.{name}", each)
    out += ["## Environment variables", "", "Addresses and secrets come from here and from nowhere else.", ""]
    out.append(
        _table(
            ("name", "what", "secret"),
            [(f"`{v.name}`", v.what, "yes" if v.secret else "") for v in (*VARIABLES, *LOGINS)],
        )
    )
    return "\n".join(out)


def _nested(name: str, field: Any) -> list[str]:
    """The tables inside a table."""
    out = []
    for model in _models(field.annotation):
        many = "tuple" in str(field.annotation)
        rows = [
            (f"`{each.alias or key}`", f"`{_type(each.annotation)}`", _default(each), each.description or "")
            for key, each in model.model_fields.items()
        ]
        head = f"[[{name}]]" if many else f"[{name}]"
        out += [f"## `{head}`", "", (model.__doc__ or "").strip(), "", _table(("key", "type", "default", "what"), rows)]
        for key, each in model.model_fields.items():
            out += _nested(f"{name}.{key}", each)
    return out


def _issues() -> str:
    rows = [(f"`{code}`", kind.severity, kind.what, kind.rule, kind.hint) for code, kind in KINDS.items()]
    intro = (
        "What validation finds (asset `record_issues`, `holdfast.marc.validation.validate`). An issue has the record, the field "
        "and its occurrence, the subfield and the character. `schema` as the rule: the issue names the Avram schema and the "
        "place in it. Severities are the defaults: `[validation.severity]` in `holdfast.toml` sets others, `off` among them. "
        "The codes of [local rules](../how-to/validation.md) are `local.` and the rule's name."
    )
    return (
        f"# Issues of MARC records\n\n{intro}\n\n{_table(('code', 'severity', 'what', 'rule', 'what mends it'), rows)}"
    )


def _faults() -> str:
    rows = [(f"`{code}`", fault.rule, fault.hint) for code, fault in FAULTS.items()]
    intro = (
        "Why a record of a drop can't be read. It is in quarantine with its file, number and byte; the others go on."
    )
    return f"# Faults of MARC records\n\n{intro}\n\n{_table(('code', 'rule', 'what mends it'), rows)}"


def _columns() -> str:
    head = ("column", "what it holds")
    parts = (
        ("records", COLUMNS),
        ("pages", PAGES),
        ("holdings, items and circulation", CHANGES),
        ("feeds and exports for partners", FEEDS),
    )
    tables = ((what, [(f"`{name}`", text) for name, text in columns.items()]) for what, columns in parts)
    return "# Columns\n\n" + "\n".join(f"## Of {what}\n\n{_table(head, rows)}" for what, rows in tables)


def _commands() -> str:
    # The parser is built by main, which knows all commands, this one among them.
    from commands.main import build_parser

    out = ["# The `holdfast` command", "", "`.venv/bin/holdfast COMMAND`, once `make` has set up `.venv`.", ""]
    return "\n".join(out + _subcommands(build_parser(), "holdfast"))


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".") + "."


def _subcommands(parser: argparse.ArgumentParser, path: str) -> list[str]:
    out: list[str] = []
    for choices in parser._actions:
        if not isinstance(choices, argparse._SubParsersAction):
            continue
        helps = {each.dest: each.help or "" for each in choices._choices_actions}
        for name, sub in choices.choices.items():
            out += [f"## `{path} {name}`", "", _sentence(helps.get(name, "")), ""]
            rows = [
                (f"`{' '.join(action.option_strings) or action.metavar or action.dest}`", str(action.help or ""))
                for action in sub._actions
                if action.dest != "help" and not isinstance(action, argparse._SubParsersAction)
            ]
            if rows:
                out.append(_table(("argument", "what"), rows))
            out += _subcommands(sub, f"{path} {name}")
    return out
