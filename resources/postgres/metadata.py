"""What waits in quarantine, as a materialization shows it."""

from __future__ import annotations

import dagster as dg

from resources.postgres.quarantine import Quarantine

_SHOWN = 30


def quarantine_metadata(quarantine: Quarantine, partition: str) -> dict[str, dg.MetadataValue]:
    """`in_quarantine`: a table of what waits for the partition, the first of it, with the place and what would mend it."""
    waiting = quarantine.waiting(partition, limit=_SHOWN + 1)
    if not waiting:
        return {"in_quarantine": dg.MetadataValue.text("nothing")}
    lines = ["| code | place | what mends it |", "|---|---|---|"]
    for row in waiting[:_SHOWN]:
        cells = (f"`{row['code']}`", row["place"], row["hint"])
        lines.append("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ")[:300] for cell in cells) + " |")
    if len(waiting) > _SHOWN:
        lines.append(f"\nThe first {_SHOWN}; all of them are in the table `holdfast.quarantine`.")
    return {"in_quarantine": dg.MetadataValue.md("\n".join(lines))}
