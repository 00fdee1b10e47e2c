"""Koha's published specification, used where it lies (it is GPL and no part of this repository), and a watch on requests."""

from __future__ import annotations

import gzip
import re
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
import yaml
from jsonschema import Draft4Validator, Draft202012Validator

BASE = "/api/v1"
# What HTTP itself has, and the ids that proxies keep: no server refuses them.
HTTP_HEADERS = frozenset(
    "accept accept-encoding authorization connection content-length content-type host user-agent x-request-id "
    "x-correlation-id".split()
)
_MARC = {"application/marcxml+xml", "application/marc-in-json", "application/marc"}


def folder(data: Path) -> Path:
    root = data / "ils" / "koha"
    if not root.is_dir():
        pytest.skip(f"Koha's specification is not at {root}")
    return root


def load_yaml(text: str) -> Any:
    return yaml.load(text, Loader=yaml.CSafeLoader)


@cache
def served(root: Path) -> dict[str, Any]:
    """The whole API as one OpenAPI file."""
    return load_yaml(gzip.decompress((root / "served/koha-rest-api.openapi.yaml.gz").read_bytes()).decode())


@cache
def swagger(root: Path) -> dict[str, Any]:
    """The Swagger 2 files as one document, with every reference put in."""

    def resolve(node: Any, file: Path) -> Any:
        if isinstance(node, list):
            return [resolve(each, file) for each in node]
        if not isinstance(node, dict):
            return node
        if isinstance(node.get("$ref"), str):
            name, _, pointer = node["$ref"].partition("#")
            target = (file.parent / name).resolve() if name else file
            found = _file(target)
            for part in pointer.split("/")[1:]:
                found = found[part.replace("~1", "/").replace("~0", "~")]
            return resolve(found, target)
        return {str(key): resolve(value, file) for key, value in node.items()}

    return resolve(_file(root / "swagger.yaml"), root / "swagger.yaml")


@cache
def _file(path: Path) -> Any:
    return load_yaml(path.read_text())


def validator(schema: dict[str, Any]) -> Any:
    return Draft4Validator(schema) if "definitions" in schema else Draft202012Validator(schema)


class Specification:
    """The Swagger's operations; `check` says what of a request is not in it."""

    def __init__(self, root: Path) -> None:
        self.document = swagger(root)
        self._paths = [
            (re.compile("^" + re.sub(r"\{[^}]+\}", "([^/]+)", path) + "$"), path) for path in self.document["paths"]
        ]

    def operation(self, method: str, path: str) -> tuple[dict[str, Any], list[str]] | None:
        # A path without parameters goes before one with them.
        for pattern, name in sorted(self._paths, key=lambda each: each[1].count("{")):
            found = pattern.match(path)
            if found and method.lower() in self.document["paths"][name]:
                return self.document["paths"][name][method.lower()], list(found.groups())
        return None

    def check(self, request: httpx.Request) -> list[str]:
        path = request.url.path.removeprefix(BASE)
        found = self.operation(request.method, path) if request.url.path.startswith(BASE) else None
        if found is None:
            return [f"{request.method} {request.url.path} is not in the specification"]
        operation, values = found
        declared = operation.get("parameters", [])
        faults = self._parameters(request, declared, values) + self._body(request, operation, declared)
        accept = request.headers.get("accept", "*/*")
        produces = operation.get("produces", self.document.get("produces", ["application/json"]))
        if accept != "*/*" and accept not in produces:
            faults.append(f"Accept {accept}, given are {produces}")
        return [f"{request.method} {path}: {each}" for each in faults]

    @staticmethod
    def _parameters(request: httpx.Request, declared: list[dict[str, Any]], values: list[str]) -> list[str]:
        faults = []
        of = {
            kind: {each["name"].lower(): each for each in declared if each["in"] == kind}
            for kind in ("query", "header")
        }
        for each, value in zip([each for each in declared if each["in"] == "path"], values, strict=False):
            if each["type"] == "integer" and not re.fullmatch(r"-?[0-9]+", value):
                faults.append(f"{each['name']}: {value!r} is no integer")
        for name, value in request.url.params.multi_items():
            parameter = of["query"].get(name.lower())
            if parameter is None:
                faults.append(f"query parameter {name} is not declared")
            elif parameter["type"] == "integer" and not re.fullmatch(r"-?[0-9]+", value):
                faults.append(f"{name}: {value!r} is no integer")
            elif parameter["type"] == "boolean" and value not in ("true", "false"):
                faults.append(f"{name}: {value!r} is no boolean")
            elif name == "q":
                orjson.loads(value)
        for name, value in request.headers.items():
            if name in HTTP_HEADERS:
                continue
            parameter = of["header"].get(name)
            if parameter is None:
                faults.append(f"header {name} is not declared")
            elif parameter["type"] == "integer" and not re.fullmatch(r"-?[0-9]+", value):
                faults.append(f"header {name}: {value!r} is no integer")
        sent = {name.lower() for name in request.url.params} | set(request.headers)
        faults += [
            f"{each['name']} is missing"
            for each in declared
            if each.get("required") and each["in"] in ("query", "header") and each["name"].lower() not in sent
        ]
        return faults

    def _body(self, request: httpx.Request, operation: dict[str, Any], declared: list[dict[str, Any]]) -> list[str]:
        content = request.read()
        media_type = request.headers.get("content-type", "").split(";")[0]
        form = {each["name"]: each for each in declared if each["in"] == "formData"}
        if form:
            sent = dict(httpx.QueryParams(content.decode()))
            missing = [name for name, each in form.items() if each.get("required") and name not in sent]
            return [f"form: {name}" for name in [*missing, *(sent.keys() - form.keys())]]
        if not content:
            return []
        body = next((each for each in declared if each["in"] == "body"), None)
        if operation["operationId"] in ("addBiblio", "updateBiblio"):
            return [] if media_type in _MARC else [f"Content-Type {media_type}"]
        if body is None:
            return ["a body where none is declared"]
        if media_type != "application/json":
            return [f"Content-Type {media_type}"]
        return [f"body: {each.message}" for each in Draft4Validator(body["schema"]).iter_errors(orjson.loads(content))]


class Watched(httpx.HTTPTransport):
    """Sends, and keeps what is wrong with what was sent. What does not go below `/api/v1` is not Koha's REST API."""

    def __init__(self, specification: Specification) -> None:
        super().__init__()
        self._specification = specification
        self.seen: set[str] = set()
        self.faults: list[str] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.startswith(BASE):
            self.faults += self._specification.check(request)
            found = self._specification.operation(request.method, request.url.path.removeprefix(BASE))
            self.seen.add(found[0]["operationId"] if found else "")
        return super().handle_request(request)
