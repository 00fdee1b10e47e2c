"""A `holdfast.toml` read, and its faults told: a line each, with the key, what was found and what is allowed."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from holdfast.settings.checks import nearest
from holdfast.settings.whole import Settings


class SettingsError(ValueError):
    """`holdfast.toml` or the environment is wrong; the text lists every fault, a line each."""


def _allowed_keys(location: tuple[int | str, ...]) -> list[str]:
    """Names of the keys that the table at `location` takes; empty where any name goes."""
    model: Any = Settings
    for part in location:
        field = model.model_fields.get(str(part)) if isinstance(model, type) and issubclass(model, BaseModel) else None
        annotation = field.annotation if field is not None else model
        arguments = [a for a in getattr(annotation, "__args__", ()) if isinstance(a, type) and issubclass(a, BaseModel)]
        model = arguments[0] if arguments else annotation
    if isinstance(model, type) and issubclass(model, BaseModel):
        return [each.alias or name for name, each in model.model_fields.items() if name != "root"]
    return []


def _line(error: Any) -> str:
    location = tuple(error["loc"])
    key = ".".join(str(part) for part in location if part != "[key]") or "(the whole file)"
    found = error.get("input")
    if error["type"] == "extra_forbidden":
        allowed = _allowed_keys(location[:-1])
        return f"{key}: no such key (allowed: {', '.join(allowed)}){nearest(str(location[-1]), allowed)}"
    if error["type"] == "missing":
        return f"{key}: missing; add it"
    message = error["msg"].removeprefix("Value error, ")
    if isinstance(found, dict):
        # A rule over the whole file names its keys itself.
        return f"{key}: {message}" if location else message
    # A password that was put into an address is not repeated.
    shown = re.sub(r"://[^/\s]*@", "://…@", found) if isinstance(found, str) else found
    return f"{key}: found {shown!r}; {message[:1].lower()}{message[1:]}"


def parse_settings(text: str, *, root: Path = Path(), name: str = "holdfast.toml") -> Settings:
    """Settings from the text of a `holdfast.toml`.

    Raises:
        SettingsError: the text is not TOML, or a key, type or value is wrong.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{name}: not TOML: {error}") from error
    if "root" in table:
        raise SettingsError(f"{name}: root: no such key (allowed: {', '.join(_allowed_keys(()))})")
    try:
        return Settings.model_validate({**table, "root": root})
    except ValidationError as error:
        lines = [f"{name}: {_line(each)}" for each in error.errors()]
        raise SettingsError("\n".join(lines)) from error


def load_settings(path: Path | None = None) -> Settings:
    """Settings of `path`, else of $HOLDFAST_CONFIG, else of ./holdfast.toml.

    Raises:
        SettingsError: the file is missing or wrong.
    """
    path = path or Path(os.environ.get("HOLDFAST_CONFIG") or "holdfast.toml")
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(
            f"{path}: can't be read ({error.strerror}); name another file with HOLDFAST_CONFIG or --config, "
            "or start from the holdfast.toml of the repository"
        ) from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path}: byte {error.start} is not UTF-8; TOML files are UTF-8") from error
    return parse_settings(text, root=path.resolve().parent, name=str(path))
