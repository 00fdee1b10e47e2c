"""What each library system keeps for itself in a bibliographic record."""

from __future__ import annotations

# Tags that no load changes in a live record, by adapter. (FOLIO's 999 ff is left out of every comparison, see
# `fields.comparable`: a 999 with other indicators is the library's own.) Koha: 942 item type and suppression, 952 items,
# 999 its own numbers.
SYSTEM_FIELDS: dict[str, tuple[str, ...]] = {"folio": (), "koha": ("942", "952", "999")}
