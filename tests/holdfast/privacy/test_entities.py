"""What is masked of holdings, items and patrons."""

from __future__ import annotations

import json

from holdfast.privacy.entities import MASKED_IN_ENTITIES, OPEN_IN_PATRONS, mask_entity
from holdfast.privacy.masking import token

SALT = b"salt"


def test_notes_for_staff_and_names_of_staff_are_masked_and_the_rest_stays() -> None:
    note = {
        "id": "n",
        "noteType": "Check out",
        "note": "Owed by card 21",
        "source": {"id": "u", "personal": {"lastName": "W"}},
    }
    body = {"barcode": "39", "status": {"name": "Available"}, "circulationNotes": [note]}
    masked = mask_entity("item", body, SALT)
    assert masked["barcode"] == "39" and masked["status"] == {"name": "Available"}
    assert masked["circulationNotes"][0]["note"] == token("Owed by card 21", SALT)
    assert masked["circulationNotes"][0]["source"]["personal"] == {"lastName": token("W", SALT)}
    assert body["circulationNotes"] == [note]
    assert mask_entity("item", masked, SALT) == masked


def test_of_a_patron_only_what_names_nobody_is_left() -> None:
    body = {
        "id": "11111111-1111-4111-8111-111111111111",
        "username": "ada",
        "barcode": "2123",
        "active": True,
        "patronGroup": "g",
        "personal": {"lastName": "Winter", "addresses": [{"city": "Graz"}]},
        "customFields": {"invented": ["tomorrow", 7]},
        "metadata": {"updatedDate": "2026-01-31", "updatedByUserId": "u"},
    }
    masked = mask_entity("patron", body, SALT)
    assert (masked["active"], masked["patronGroup"], masked["metadata"]["updatedDate"]) == (True, "g", "2026-01-31")
    text = json.dumps(masked)
    for secret in ('"ada"', '"2123"', "Winter", "Graz", "tomorrow", "1111-4111", '"u"'):
        assert secret not in text
    assert masked["customFields"]["invented"][1] == token("7", SALT)


def test_rules_are_of_a_kind_and_a_pointer() -> None:
    assert all(each.partition(":")[0] in ("holdings", "item") and ":/" in each for each in MASKED_IN_ENTITIES)
    assert all(each.startswith("/") for each in OPEN_IN_PATRONS)
