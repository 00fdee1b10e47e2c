"""Whatever a unit holds, a token never reaches a library system, also not one whose adapter would send it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import pytest

from holdfast.privacy.entities import token_maker
from resources.ils.client import Capabilities, Entity, EntityUnit, Written
from resources.ils.elements import KOHA, At
from resources.ils.feeds import FeedIls, ReferenceData
from resources.ledger.committing_entities import EntityWriting
from resources.ledger.undoing_feeds import UndoWriting

TOKEN = token_maker(b"salt")("Quetzal")


class Takes:
    """A system that takes what it is sent."""

    name = "koha:test"
    capabilities = Capabilities(frozenset(), frozenset())
    elements = KOHA
    branches: Mapping[str, tuple[At, ...]] = {}

    def __init__(self) -> None:
        self.sent: list[EntityUnit] = []

    def write_entities(self, units: Sequence[EntityUnit], live: Mapping[str, Entity]) -> list[Written]:
        self.sent += units
        return [Written(each.idempotency_key, "acknowledged") for each in units]


def unit(key: str, action: str, after: Any) -> EntityUnit:
    return EntityUnit(key, "c", 1, "patron", action, "7", 0, {"/surname": ("Old", after)})


@pytest.mark.parametrize("kind", [EntityWriting, UndoWriting])
@pytest.mark.parametrize("action", ["create", "update"])
def test_a_token_is_refused_and_the_others_are_written(kind: type[EntityWriting], action: str) -> None:
    system = Takes()
    ils = cast("FeedIls", system)
    writing = kind(ils, "patrons", "barcode", b"other", ReferenceData(ils))
    live = {"7": Entity("patron", "7", 0, {"surname": "New"}, "")}
    units = [unit("a", action, TOKEN), unit("b", action, [{"note": TOKEN}]), unit("c", action, "New")]
    answers = {each.idempotency_key: each for each in writing.write(units, live)}
    assert [each.idempotency_key for each in system.sent] == ["c"]
    assert {key: each.state for key, each in answers.items()} == {"a": "failed", "b": "failed", "c": "acknowledged"}
    assert "/surname" in answers["a"].answer and TOKEN not in answers["a"].answer
