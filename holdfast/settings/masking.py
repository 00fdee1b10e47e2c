"""Table `masking`: what becomes a token before the first byte is stored."""

from __future__ import annotations

from pydantic import Field

from holdfast.naming import FieldSpec
from holdfast.privacy.entities import MASKED_IN_ENTITIES
from holdfast.settings.checks import EntitySpec, Table


class Masking(Table):
    """Fields whose values become `pii:` tokens before the first byte is stored."""

    fields: tuple[FieldSpec, ...] = Field(
        default=("541$h", "583$x", "583$z", "852$x", "876$x", "876$c", "877$x", "877$c", "878$x", "878$c"),
        description="prices, notes for staff and patrons' identifiers, as MARC 21 has them",
    )
    entities: tuple[EntitySpec, ...] = Field(
        default=MASKED_IN_ENTITIES,
        description="of holdings and items, 'kind:/pointer' with * for any entry; patrons are masked whole but for what names nobody",
    )
    notes_when_private: tuple[FieldSpec, ...] = Field(
        default=("541", "542", "561", "583"), description="masked whole when the first indicator is 0 (private)"
    )
