"""All of `holdfast.toml`: its tables together, and the rules that hold between them."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import Field, model_validator

from holdfast.catalogue.budget import Budget
from holdfast.catalogue.systems import SYSTEM_FIELDS
from holdfast.marc.validation.issues import KINDS
from holdfast.naming import Name
from holdfast.settings.authorities import AuthorityFiles
from holdfast.settings.checks import Table
from holdfast.settings.deltas import Deltas
from holdfast.settings.exports import Export
from holdfast.settings.feeds import Feed
from holdfast.settings.ils import Ils
from holdfast.settings.library import Library, Limits, Partitions, Paths
from holdfast.settings.masking import Masking
from holdfast.settings.museum import Collection
from holdfast.settings.scanning import Scanner
from holdfast.settings.sources import Source
from holdfast.settings.validation import Schemas, Validation, check_issue


class Settings(Table):
    """All of `holdfast.toml`."""

    library: Library
    paths: Paths = Paths()
    partitions: Partitions = Partitions()
    limits: Limits = Limits()
    ils: Ils = Ils()
    deltas: Deltas = Deltas()
    masking: Masking = Masking()
    validation: Validation = Validation()
    sources: dict[Name, Source]
    budgets: dict[Name, Budget] = Field(default_factory=dict, description="by source; `default` for the others")
    authorities: dict[Name, AuthorityFiles] = Field(default_factory=dict)
    collections: dict[Name, Collection] = Field(default_factory=dict)
    scanners: dict[Name, Scanner] = Field(default_factory=dict)
    feeds: dict[Name, Feed] = Field(default_factory=dict)
    exports: dict[Name, Export] = Field(default_factory=dict)
    root: Path = Field(default=Path(), exclude=True, description="folder of the file; set by load_settings")

    @model_validator(mode="after")
    def _systems_own_fields_are_protected(self) -> Settings:
        """What the library system keeps for itself stays as it is, whatever a source's `protected` says."""
        for source in self.sources.values():
            own = [each for each in SYSTEM_FIELDS[self.ils.adapter] if each not in source.protected]
            object.__setattr__(source, "protected", (*source.protected, *own))  # frozen, and not given out yet
        return self

    @model_validator(mode="after")
    def _budgets_name_sources(self) -> Settings:
        unknown = set(self.budgets) - set(self.sources) - set(self.feeds) - {"default"}
        if unknown:
            allowed = ", ".join(sorted({*self.sources, *self.feeds, "default"}))
            raise ValueError(f"budgets: {', '.join(sorted(unknown))}: no such source (allowed: {allowed})")
        return self

    @model_validator(mode="after")
    def _a_feed_is_no_source(self) -> Settings:
        # Their windows stand in one ledger, and their limits in one table.
        both = sorted(set(self.feeds) & set(self.sources))
        if both:
            raise ValueError(f"feeds: {', '.join(both)}: a source has this name already; give the feed another")
        return self

    @model_validator(mode="after")
    def _validation_names_sources_and_issues(self) -> Settings:
        rules = self.validation.rules
        for rule in rules:
            unknown = set(rule.sources) - set(self.sources)
            if unknown:
                raise ValueError(
                    f"validation.rules: {rule.name}: {', '.join(sorted(unknown))}: no such source "
                    f"(allowed: {', '.join(sorted(self.sources))})"
                )
        for name, source in self.sources.items():
            for code in source.stop_on:
                check_issue(f"sources.{name}.stop_on", code, rules)
                severity = self.validation.severity.get(code) or (KINDS[code].severity if code in KINDS else "")
                if severity == "off":
                    raise ValueError(
                        f'sources.{name}.stop_on: {code} is off; set validation.severity."{code}" to error, warning or info'
                    )
                own = next((rule for rule in rules if rule.code == code), None)
                if own is not None and own.sources and name not in own.sources:
                    raise ValueError(f"sources.{name}.stop_on: {code} does not hold for this source: see its `sources`")
            if source.dialect == "unimarc" and self.validation.schemas.unimarc is None:
                raise ValueError(
                    f"validation.schemas.unimarc: missing; the records of sources.{name} are UNIMARC: name an Avram schema of it"
                )
        return self

    def budget_of(self, source: str) -> Budget:
        return self.budgets.get(source) or self.budgets.get("default") or Budget()

    @property
    def var(self) -> Path:
        override = os.environ.get("HOLDFAST_VAR")
        return (self.root / (override or self.paths.var)).resolve()

    @property
    def schemas(self) -> dict[str, Path | None]:
        """Path of the Avram schema by kind of record."""
        given = self.validation.schemas
        return {
            name: (self.root / path).resolve() if (path := getattr(given, name)) else None
            for name in Schemas.model_fields
        }

    def _below(self, given: Path | None, *default: str) -> Path:
        return (self.root / given).resolve() if given else self.var.joinpath(*default)

    @property
    def drops(self) -> Path:
        return self._below(self.paths.drops, "drops", "marc")

    @property
    def scans(self) -> Path:
        return self._below(self.paths.scans, "drops", "scans")

    @property
    def museum_exports(self) -> Path:
        return self._below(self.paths.exports, "drops", "museum")

    @property
    def authority_files(self) -> Path:
        return self._below(self.paths.authorities, "drops", "authorities")

    @property
    def feed_drops(self) -> Path:
        return self._below(self.paths.feeds, "drops", "feeds")

    @property
    def partner_exports(self) -> Path:
        return self._below(self.paths.partners, "exports", "partners")
