"""The public search behind one object: PostgreSQL always holds the catalogue; Elasticsearch searches it where it is set.

PostgreSQL comes first and is the truth; the index is made from it. A run that dies between the two leaves the old index
public, and the next one makes the new one.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

import polars as pl

from resources.postgres.client import Postgres
from resources.search.elastic import ElasticIndex
from resources.search.hits import Hit
from resources.search.museum_table import MuseumTable, Switch, SwitchRules

__all__ = ["Hit", "Search", "Switch", "SwitchRules"]

MOST_HITS = 200
_MOST_CHARACTERS = 500


class Search:
    def __init__(self, postgres: Postgres, elastic: ElasticIndex | None = None) -> None:
        self._table = MuseumTable(postgres)
        self._elastic = elastic

    @property
    def engine(self) -> str:
        """'elasticsearch' or 'postgresql': what answers a search."""
        return "elasticsearch" if self._elastic else "postgresql"

    def switch(
        self,
        collection: str,
        day: dt.date,
        objects: Iterable[pl.DataFrame],
        rejected: Iterable[pl.DataFrame] = (),
        rules: SwitchRules | None = None,
        *,
        run_id: str = "",
    ) -> Switch:
        """Make `objects` the public ones of the collection (see `MuseumTable.switch`), in every engine that is there."""
        switch = self._table.switch(collection, day, objects, rejected, rules or SwitchRules(), run_id=run_id)
        if self._elastic and switch.version:
            self._elastic.publish(collection, switch.version, self._table.public_objects(collection))
        return switch

    def search(self, text: str, collection: str | None = None, limit: int = 10) -> list[Hit]:
        """The nearest `limit` objects that have every word of `text`; none for a text without words."""
        # NUL and halves of surrogate pairs, as a terminal may send, are no text for either engine.
        text = text.replace("\0", " ").encode("utf-8", "replace").decode()[:_MOST_CHARACTERS].strip()
        if not text:
            return []
        engine = self._elastic or self._table
        return engine.search(text, collection, max(1, min(limit, MOST_HITS)))

    def count(self, collection: str | None = None) -> int:
        """Public objects, of the collection or of all."""
        return (self._elastic or self._table).count(collection)

    def close(self) -> None:
        if self._elastic:
            self._elastic.close()
