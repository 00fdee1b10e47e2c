"""Patrons and items of Koha by their keys, against a real demo Koha."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from resources.ils.feeds import ReferenceData, masked_live
from resources.ils.koha_feeds import KohaFeeds
from tests import demo_koha


@pytest.fixture(scope="module")
def koha(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder: Path = tmp_path_factory.mktemp("koha")
    running = demo_koha.DemoKoha(folder)
    running.seed()
    for number in range(3):
        body = {"surname": f"Reader {number}", "library_id": "MAIN", "category_id": "PT", "cardnumber": f"Card{number}"}
        running.call("POST", "/patrons", json=body).raise_for_status()
    yield running
    running.kill()


@pytest.fixture
def client(koha: Any) -> Iterator[Any]:
    own = koha.client()
    found = KohaFeeds()
    found._session = own._session
    yield found
    own.close()


def test_patrons_are_found_by_card_and_by_nothing_like_it(koha: Any, client: Any) -> None:
    patrons = koha.call("GET", "/patrons", params={"_per_page": 50}).json()
    cards = [each["cardnumber"] for each in patrons if each["cardnumber"]]
    found = client.find_entities("patrons", "barcode", [*cards, "no such card", cards[0].swapcase() + "x"], ["c1"])
    assert {card: [each.id for each in entities] for card, entities in found.items()} == {
        each["cardnumber"]: [str(each["patron_id"])] for each in patrons if each["cardnumber"]
    }
    live = masked_live("patrons", [found[cards[0]][0]], client.elements["patrons"], ReferenceData(client), b"salt")
    assert live["last_name"].item().startswith("pii:")
    assert live["library"].item() in {number for number, _ in client.reference_list("libraries")}


def test_items_are_found_by_barcode(koha: Any, client: Any) -> None:
    items = [each for each in koha.call("GET", "/items", params={"_per_page": 50}).json() if each["external_id"]]
    barcodes = [each["external_id"] for each in items]
    found = client.find_entities("items", "barcode", barcodes, [])
    assert set(found) == set(barcodes) and len(barcodes) > 10
    assert client.count_entities("items") == int(koha.call("GET", "/items").headers["X-Total-Count"]) >= len(barcodes)
    live = masked_live("items", [each for pair in found.values() for each in pair], client.elements["items"], ReferenceData(client), b"s")  # fmt: skip
    assert live.filter(pl.col("bib").is_null()).height == 0 and live["target"].n_unique() == len(barcodes)
