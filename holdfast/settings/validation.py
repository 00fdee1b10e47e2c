"""Table `validation`: schemas, severities and local rules."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from holdfast.marc.validation.issues import KINDS
from holdfast.marc.validation.local import LocalRule
from holdfast.settings.checks import Table, nearest


def check_issue(key: str, code: str, rules: tuple[LocalRule, ...]) -> None:
    known = [*KINDS, *(rule.code for rule in rules)]
    if code not in known:
        raise ValueError(f"{key}: found {code!r}; no such issue (allowed: {', '.join(known)}){nearest(code, known)}")


class Schemas(Table):
    """Avram schemas by kind of record; Holdfast's own, made from the MARC 21 documentation, where there is none."""

    bibliographic: Path | None = Field(default=None, description="of MARC 21 bibliographic records; plain JSON or gzip")
    authority: Path | None = Field(default=None, description="of authority records")
    holdings: Path | None = Field(default=None, description="of holdings records (MFHD)")
    unimarc: Path | None = Field(default=None, description="of UNIMARC records; Holdfast has none of its own")


class Validation(Table):
    """What records are held against: docs/how-to/validation.md."""

    schemas: Schemas = Field(default=Schemas(), description="paths of Avram schemas by kind of record")
    severity: dict[str, Literal["error", "warning", "info", "off"]] = Field(
        default_factory=dict, description="code of an issue = its severity, in place of the one it has"
    )
    rules: tuple[LocalRule, ...] = Field(default=(), description="local rules, each a table `[[validation.rules]]`")

    @model_validator(mode="after")
    def _names_are_known_and_single(self) -> Validation:
        names = [rule.name for rule in self.rules]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"rules: {', '.join(twice)}: named twice; each rule has a name of its own")
        for code in self.severity:
            check_issue(f"severity.{code}", code, self.rules)
        return self
