"""The seven outcomes, and what is kept of a record or page that is rejected.

Promise 1: everything that comes in ends in exactly one outcome.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    COMMITTED = "committed"
    UNCHANGED = "unchanged"
    PLANNED = "planned"
    QUARANTINED = "quarantined"
    DUPLICATE = "duplicate"
    SUPPRESSED = "suppressed"
    ROLLED_BACK = "rolled_back"


@dataclass(frozen=True)
class Rejection:
    """One thing that waits in quarantine.

    Attributes:
        code: stable and dotted, as 'marc.length' or 'page.bomb'.
        place: where in the source: 'vendor.mrc record 17 byte 20481 field 245' or an XPath, a row, a page.
        rule: what was broken, with the standard's section where there is one.
        hint: what would mend it.
        unit: 'record', 'file', 'page', 'object' or 'batch'.
        correlation_id: of the record, where it has one.
        sha256: hex, of the rejected bytes; the bytes themselves are in the vault or the drop, never here.
        preview: scrubbed (see `scrub`), 200 characters at most.
    """

    code: str
    place: str
    rule: str
    hint: str
    unit: str = "record"
    correlation_id: str = ""
    sha256: str = ""
    preview: str = ""


@dataclass(frozen=True)
class Conservation:
    """In against the sum of the outcomes."""

    came_in: int
    outcomes: dict[str, int]

    @property
    def holds(self) -> bool:
        return self.came_in == sum(self.outcomes.values())

    @property
    def sentence(self) -> str:
        parts = " + ".join(f"{count:,} {name}" for name, count in self.outcomes.items() if count) or "0"
        sign = "=" if self.holds else "≠"
        return f"{self.came_in:,} in {sign} {parts}"


def scrub(data: bytes, limit: int = 200) -> str:
    """A preview that shows the shape of the bytes and none of the letters of what people wrote.

    Letters become 'a', digits '9', bytes above 0x7F '·', control characters their Unicode pictures: enough to see where a
    structure breaks, too little to read a name or a note.
    """
    shown = []
    for byte in data[:limit]:
        if byte < 0x20:
            shown.append(chr(0x2400 + byte))
        elif byte > 0x7E:
            shown.append("·")
        elif 0x30 <= byte <= 0x39:
            shown.append("9")
        elif chr(byte).isalpha():
            shown.append("a")
        else:
            shown.append(chr(byte))
    return "".join(shown)


def sha256_hex(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
