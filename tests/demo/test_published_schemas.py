"""Requests and answers against FOLIO's published JSON schemas, which are not part of this repository."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft4Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT4

from demo.ils import shapes
from demo.samples import seed
from demo.samples.seed import catalogue
from tests.demo.published import BASE, SHARED, without_names

ERRORS = {
    "type": "object",
    "properties": {
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "message": {"type": "string"},
                    "type": {"type": "string"},
                    "code": {"type": "string"},
                    "parameters": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "properties": {"key": {"type": "string"}, "value": {"type": "string"}},
                            "required": ["key", "value"],
                        },
                    },
                },
                "required": ["message"],
                "additionalProperties": False,
            },
        },
        "total_records": {"type": "integer"},
    },
    "required": ["errors"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def schemas(test_data: Path) -> tuple[Path, Registry]:
    root = test_data / "ils/folio/inventory-storage/ramls/schemas"
    if not root.is_dir():
        pytest.skip(f"FOLIO's schemas are not at {root}")
    resources = [
        (BASE + "schemas/" + path.relative_to(root).as_posix(), without_names(json.loads(path.read_text())))
        for path in root.rglob("*.json")
    ]
    resources += [(BASE + name, schema) for name, schema in SHARED.items()]
    pairs = [(name, Resource.from_contents(body, default_specification=DRAFT4)) for name, body in resources]
    return root, Registry().with_resources(pairs)


def validator(schemas: tuple[Path, Registry], name: str) -> Draft4Validator:
    return Draft4Validator({"$ref": f"{BASE}schemas/{name}"}, registry=schemas[1])


@pytest.fixture(scope="module")
def seeded_ils(shared_ils: Any) -> Any:
    """The first thirty books of the catalogue, put in over the API."""
    shared_ils.http.post("/_demo/reset")
    live = catalogue()[:30]
    for path, name, make in (
        ("/instance-storage", "instances", seed.instance),
        ("/holdings-storage", "holdingsRecords", seed.holdings),
        ("/item-storage", "items", seed.item),
    ):
        answer = shared_ils.http.post(f"{path}/batch/synchronous", json={name: [make(entry) for entry in live]})
        assert answer.status_code == 201, answer.text
    return shared_ils


KINDS = [
    ("/instance-storage/instances", "instance-storage/instances.json", "instance-storage/instance.json", "instances"),
    ("/holdings-storage/holdings", "holdings-storage/holdingsRecords.json", "holdings-storage/holdingsRecord.json", "holdingsRecords"),
    ("/item-storage/items", "item-storage/items.json", "item-storage/item.json", "items"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "list_schema", "one_schema", "name"), KINDS)
def test_lists_and_records_are_as_published(
    schemas: Any, seeded_ils: Any, path: str, list_schema: str, one_schema: str, name: str
) -> None:
    listed = seeded_ils.http.get(path, params={"limit": 100}).json()
    assert listed["totalRecords"] == 30
    validator(schemas, list_schema).validate(listed)
    validator(schemas, one_schema).validate(seeded_ils.http.get(f"{path}/{listed[name][0]['id']}").json())


def test_batches_and_patches_are_as_published(schemas: Any) -> None:
    live = catalogue()
    validator(schemas, "instance-storage/instances_post.json").validate({"instances": [seed.instance(x) for x in live]})
    validator(schemas, "holdings-storage/holdingsRecords_post.json").validate({"holdingsRecords": [seed.holdings(x) for x in live]})  # fmt: skip
    validator(schemas, "item-storage/items_post.json").validate({"items": [seed.item(x) for x in live]})
    validator(schemas, "instance-storage/instancePatch.json").validate({"id": live[0].uuid("instance"), "_version": 1})


def test_a_422_is_as_published(seeded_ils: Any) -> None:
    answer = seeded_ils.http.post("/instance-storage/instances", json={"title": "x"})
    assert answer.status_code == 422
    Draft4Validator(ERRORS).validate(answer.json())


@pytest.mark.parametrize(
    ("table", "name"),
    [
        ("instance", "instance-storage/instance.json"),
        ("holdings_record", "holdings-storage/holdingsRecord.json"),
        ("item", "item-storage/item.json"),
    ],
)
def test_our_table_of_properties_is_the_published_one(schemas: Any, table: str, name: str) -> None:
    published = json.loads((schemas[0] / name).read_text())
    types = {key: value.get("type", "object") for key, value in published["properties"].items()}
    assert types == shapes.SHAPES[table]
    assert set(published["required"]) == set(shapes.REQUIRED[table])


def test_our_item_statuses_are_the_published_ones(schemas: Any) -> None:
    published = json.loads((schemas[0] / "item-storage/itemStatus.json").read_text())
    assert set(published["properties"]["name"]["enum"]) == shapes.ITEM_STATUSES


def test_folios_own_sample_instances_are_taken(schemas: Any, ils: Any) -> None:
    files = sorted((schemas[0].parents[1] / "sample-data/instances").rglob("*.json"))[:20]
    assert files
    for file in files:
        body = json.loads(re.sub(r"\$\{?\w+\}?", "x", file.read_text()))
        answer = ils.http.post("/instance-storage/instances", json=body)
        assert answer.status_code == 201, (file.name, answer.text)
