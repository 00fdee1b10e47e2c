"""What `holdfast.toml` says of a source's records, and what the present code makes of them by it."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from holdfast.marc.comparing import Made
from holdfast.marc.encoding import MARC21, Reading
from holdfast.marc.frames import Frames
from holdfast.marc.validation import ISSUES, Rules, rules_by_source, validate
from holdfast.marc.window import NormalizedPart, normalize_part
from holdfast.privacy.masking import MaskingRules
from holdfast.settings import Settings


@dataclass(frozen=True)
class Rulebook:
    """rules: of validation. stop_on: codes that send a record to quarantine. reading: how records may be decoded."""

    masking: MaskingRules
    rules: Rules
    stop_on: tuple[str, ...] = ()
    reading: Reading = MARC21

    def judge(self, part: NormalizedPart) -> Made:
        """The part with its issues, validated."""
        return self.with_issues(part, validate(Frames(part.records, part.subfields), self.rules))

    def judge_again(self, made: Made) -> Made:
        """The same records by these rules."""
        return self.judge(NormalizedPart(made.records, made.subfields, made.unreadable))

    def with_issues(self, part: NormalizedPart, issues: pl.DataFrame) -> Made:
        stopped = issues.filter(pl.col("code").is_in(list(self.stop_on)))["record"].unique().sort()
        return Made(part.records, part.subfields, part.unreadable, issues.select(ISSUES.names()), stopped)

    def make(self, index: pl.DataFrame, *, source: str, window: str) -> Made:
        """What the present code makes of a part of an index (shape harvest.INDEX)."""
        return self.judge(normalize_part(index, source=source, window=window, reading=self.reading))


def masking_of(settings: Settings) -> MaskingRules:
    return MaskingRules(settings.masking.fields, settings.masking.notes_when_private)


def rulebooks(settings: Settings) -> dict[str, Rulebook]:
    """Source → its rules.

    Raises:
        validation.RulesError: a schema can't be read or is wrong.
    """
    masking, rules = masking_of(settings), rules_by_source(settings)
    return {
        name: Rulebook(masking, rules[name], source.stop_on, source.reading)
        for name, source in settings.sources.items()
    }
