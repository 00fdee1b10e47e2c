"""FOLIO's published definitions (RAML and JSON schemas), which are not part of this repository: used where they lie."""

from __future__ import annotations

import json
import re
from functools import cached_property
from pathlib import Path
from typing import Any

from jsonschema import Draft4Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT4

# What the definitions refer to in folio-org/raml.
SHARED = {
    "raml-util/schemas/metadata.schema": {
        "type": "object",
        "properties": {
            name: {"type": "string"} for name in ("createdDate", "createdByUserId", "updatedDate", "updatedByUserId")
        },
        "required": ["createdDate"],
        "additionalProperties": False,
    },
    "raml-util/schemas/tags.schema": {"type": "object", "properties": {"tagList": {"type": "array"}}},
    "raml-util/schemas/resultInfo.schema": {"type": "object"},
    "raml-util/schemas/uuid.schema": {
        "type": "string",
        "pattern": "^[a-fA-F0-9]{8}-[a-fA-F0-9]{4}-[1-5][a-fA-F0-9]{3}-[89abAB][a-fA-F0-9]{3}-[a-fA-F0-9]{12}$",
    },
}
BASE = "https://folio.invalid/"
# Bodies that the RAML files type by a schema: method and path → schema; '' where there is none to send.
BODIES = {
    ("POST", "/instance-storage/batch/synchronous"): "inventory-storage/schemas/instance-storage/instances_post.json",
    (
        "POST",
        "/holdings-storage/batch/synchronous",
    ): "inventory-storage/schemas/holdings-storage/holdingsRecords_post.json",
    ("POST", "/item-storage/batch/synchronous"): "inventory-storage/schemas/item-storage/items_post.json",
    ("POST", "/users"): "users/userdata.json",
    ("PUT", "/users/{userId}"): "users/userdata.json",
}
# mod-login, source-record-storage and mod-audit: their RAML is not stored; paths as in docs/how-to/ils-folio.md.
ELSEWHERE = re.compile(r"/(authn|source-storage|audit-data)/")


def without_names(schema: Any) -> Any:
    """Draft 4 uses `id` to name a schema's base; FOLIO uses it to name a Java class: that must not move the base."""
    if isinstance(schema, list):
        return [without_names(entry) for entry in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {name: value for name, value in schema.items() if not (name == "id" and isinstance(value, str))}
    return {name: without_names(value) for name, value in kept.items()}


class Published:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @cached_property
    def _registry(self) -> Registry[Any]:
        found = []
        for module in sorted(path for path in self.folder.iterdir() if path.is_dir()):
            for path in (module / "ramls").rglob("*.json"):
                name = f"{module.name}/{path.relative_to(module / 'ramls').as_posix()}"
                if "examples/" not in name:
                    found.append((BASE + name, without_names(json.loads(path.read_text()))))
            # Each module has the shared folder in its own tree, at the place that the references count from.
            prefixes = ("", "schemas/") if module.name == "inventory-storage" else ("",)
            found += [
                (f"{BASE}{module.name}/{prefix}{name}", schema)
                for prefix in prefixes
                for name, schema in SHARED.items()
            ]
        pairs = [(name, Resource.from_contents(body, default_specification=DRAFT4)) for name, body in found]
        return Registry().with_resources(pairs)

    def validator(self, name: str) -> Draft4Validator:
        return Draft4Validator({"$ref": BASE + name}, registry=self._registry)

    @cached_property
    def operations(self) -> dict[str, set[str]]:
        """Path with its parameters → methods that are defined there."""
        found: dict[str, set[str]] = {}
        for path in sorted(self.folder.glob("*/ramls/*.raml")):
            for resource, methods in _resources(path.read_text()):
                found.setdefault(resource, set()).update(methods)
        return found

    def operation(self, method: str, path: str) -> str | None:
        """The defined path that a request's path is one of, where it has that method."""
        for template, methods in self.operations.items():
            pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template))
            if re.fullmatch(pattern, path) and method.lower() in methods:
                return template
        return None


# What the shared resource types define: folio-org/raml, rtypes.
_TYPES = {
    "collection": {"get", "post"},
    "collection-item": {"get", "put", "delete"},
    "collection-get": {"get"},
    "get-only": {"get"},
    "get-delete-only": {"get", "delete"},
    "post-only": {"post"},
}
_METHODS = {"get", "post", "put", "patch", "delete"}


def _resources(raml: str) -> list[tuple[str, set[str]]]:
    """Resources of a RAML file by their indentation, with the methods that they name or get from their type."""
    found: list[tuple[str, set[str]]] = []
    open_: list[tuple[int, str, set[str]]] = []
    for line in raml.splitlines():
        bare = line.strip()
        indent = len(line) - len(line.lstrip())
        name = bare.rstrip(":").split(":")[0]
        if bare.startswith("/") and bare.endswith(":"):
            while open_ and open_[-1][0] >= indent:
                open_.pop()
            whole = (open_[-1][1] if open_ else "") + bare.rstrip(":")
            open_.append((indent, whole, set()))
            found.append((whole, open_[-1][2]))
        elif open_ and indent > open_[-1][0] and name in _METHODS:
            open_[-1][2].add(name)
        elif open_ and indent > open_[-1][0]:
            typed = bare.removeprefix("type:").strip().rstrip(":")
            open_[-1][2].update(_TYPES.get(typed, set()))
    return found
