"""What every materialization of preservation shows: rows, columns, the outcomes, the head of the event chain."""

from __future__ import annotations

from typing import Any

from holdfast.outcomes import Conservation


def outcome_metadata(conservation: Conservation) -> dict[str, Any]:
    return {"conservation": conservation.sentence, "came_in": conservation.came_in, **conservation.outcomes}
