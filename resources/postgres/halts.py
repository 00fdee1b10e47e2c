"""Halts: who stopped what and why, until somebody resumes it. Append-only."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Literal, cast

import psycopg

from resources.postgres.client import Postgres

Scope = Literal["all", "source", "queue"]


@dataclass(frozen=True)
class Halt:
    """One that stands. name: of the source or queue; '' for all. since: the first halt of it that nobody resumed; `at` is of
    the last one, by `who`."""

    scope: Scope
    name: str
    who: str
    why: str
    at: dt.datetime
    since: dt.datetime

    @property
    def sentence(self) -> str:
        what = self.scope if self.scope == "all" else f"{self.scope} {self.name}"
        return f"halted by {self.who} because {self.why} ({what}, since {self.at:%Y-%m-%d %H:%M %Z})"


class HaltedError(RuntimeError):
    """Somebody halted what was to be written; the text says who and why. What is not written stays planned."""


class Halts:
    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres

    def halt(self, scope: Scope, name: str, who: str, why: str, run_id: str = "") -> Halt:
        """The halt that stands now; where somebody lifted it at the same moment, the one that did."""
        at = self._append("halt", scope, name, who, why, run_id)
        return self.find(scope, name) or Halt(scope, name, who, why, at, at)

    def find(self, scope: Scope, name: str) -> Halt | None:
        """The halt of this scope and name, where one stands."""
        return next((each for each in self.standing() if (each.scope, each.name) == (scope, name)), None)

    def resume(self, scope: Scope, name: str, who: str, why: str, run_id: str = "") -> Halt | None:
        """The halt that is lifted by this; None where none stood, and nothing is written down."""
        lifted = self.find(scope, name)
        if lifted:
            self._append("resume", scope, name, who, why, run_id)
        return lifted

    def _append(self, action: str, scope: Scope, name: str, who: str, why: str, run_id: str) -> dt.datetime:
        with self._postgres.transaction() as connection:
            row = connection.execute(
                "INSERT INTO halts (action, scope, name, who, why, run_id) VALUES (%s, %s, %s, %s, %s, %s) RETURNING at",
                [action, scope, name, who.strip(), why.strip(), run_id],
            ).fetchone()
        return cast("dict[str, dt.datetime]", row)["at"]

    def standing(self) -> list[Halt]:
        """All that stand, the oldest first."""
        try:
            with self._postgres.transaction() as connection:
                found = connection.execute(
                    "SELECT last.*, (SELECT min(same.at) FROM halts AS same WHERE (same.scope, same.name) = (last.scope, last.name) "
                    "AND same.id > coalesce((SELECT max(id) FROM halts AS lifted WHERE lifted.action = 'resume' "
                    "AND (lifted.scope, lifted.name) = (last.scope, last.name)), 0)) AS since "
                    "FROM (SELECT DISTINCT ON (scope, name) * FROM halts ORDER BY scope, name, id DESC) AS last "
                    "WHERE last.action = 'halt' ORDER BY last.id"
                ).fetchall()
        except psycopg.errors.UndefinedTable:  # the first run makes the tables
            return []
        return [Halt(row["scope"], row["name"], row["who"], row["why"], row["at"], row["since"]) for row in found]

    def reason(self, *, source: str = "", queue: str = "") -> str:
        """Why a source, or the work of a queue, is halted; '' where it is not."""
        for each in self.standing():
            if each.scope == "all" or (each.scope, each.name) in (("source", source), ("queue", queue)):
                return each.sentence
        return ""
