"""What a preservation step leaves behind besides its table: rejections in quarantine and events in the chain."""

from __future__ import annotations

from collections.abc import Iterable

from holdfast.outcomes import Conservation, Rejection
from holdfast.preservation.events import NewEvent
from resources.postgres.client import Postgres
from resources.postgres.preservation_events import PreservationEvents
from resources.postgres.quarantine import Quarantine


class PreservationRecord:
    """The record of one step (`asset`) on one batch."""

    def __init__(self, postgres: Postgres, asset: str, batch: str, run_id: str) -> None:
        self._quarantine = Quarantine(postgres, "preservation")
        self._events = PreservationEvents(postgres)
        self._asset, self._batch, self._run_id = asset, batch, run_id

    def keep(self, rejections: Iterable[Rejection], events: Iterable[NewEvent]) -> str:
        """Make `rejections` the ones that wait, append `events`; the hash of the chain's head."""
        self._quarantine.replace(self._asset, self._batch, rejections, run_id=self._run_id)
        return self._events.append(self._batch, events)

    def count(self, conservation: Conservation) -> None:
        self._quarantine.count_outcomes(self._asset, self._batch, conservation, run_id=self._run_id)
