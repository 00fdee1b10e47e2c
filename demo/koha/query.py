"""Koha's query language `q` as SQL over the tables of `store`: objects are AND, arrays are OR, operators as published."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from demo.koha.errors import KohaRefused

_COMPARED = {"=": "=", "!=": "<>", "<": "<", ">": ">", "<=": "<=", ">=": ">="}
DEEPEST = 20


@dataclass(frozen=True)
class Fields:
    """What may be asked for. `columns`: attributes with a column of their own; all others are read out of the JSON."""

    names: frozenset[str]
    columns: Mapping[str, str]
    moments: frozenset[str] = frozenset()

    def sql(self, name: str) -> str:
        if name not in self.names:
            raise invalid(f"no attribute {name!r}")
        return self.columns.get(name) or f"json_extract(body, '$.{name}')"


def invalid(message: str) -> KohaRefused:
    return KohaRefused(400, f"Invalid query: {message}", "invalid_query")


def register(connection: sqlite3.Connection) -> None:
    def regexp(pattern: str, value: Any) -> bool:
        try:
            return value is not None and re.search(pattern, str(value), re.IGNORECASE) is not None
        except re.error:
            return False

    connection.create_function("regexp", 2, regexp)


def parse(texts: list[str]) -> list[Any]:
    try:
        return [orjson.loads(text) for text in texts]
    except orjson.JSONDecodeError as error:
        raise invalid(f"no JSON: {error}") from error


def where(queries: list[Any], fields: Fields) -> tuple[str, list[Any]]:
    """SQL and its values; the queries are combined with AND."""
    parts: list[str] = []
    values: list[Any] = []
    for query in queries:
        sql, more = _clause(query, fields, 0)
        parts.append(sql)
        values += more
    return " AND ".join(parts) or "1", values


def _joined(parts: list[tuple[str, list[Any]]], word: str) -> tuple[str, list[Any]]:
    if not parts:
        return ("1", [])
    return "(" + f" {word} ".join(sql for sql, _ in parts) + ")", [value for _, more in parts for value in more]


def _clause(query: Any, fields: Fields, depth: int) -> tuple[str, list[Any]]:
    if depth > DEEPEST:
        raise invalid("too deep")
    if isinstance(query, list):
        if query and query[0] in ("-and", "-or"):
            return _joined([_clause(each, fields, depth + 1) for each in query[1:]], query[0][1:].upper())
        return _joined([_clause(each, fields, depth + 1) for each in query], "OR")
    if not isinstance(query, dict):
        raise invalid("an object or an array was expected")
    parts = []
    for name, value in query.items():
        if name in ("-and", "-or"):
            members = value if isinstance(value, list) else [{key: each} for key, each in dict(value).items()]
            parts.append(_joined([_clause(each, fields, depth + 1) for each in members], name[1:].upper()))
        elif name.startswith("-"):
            raise invalid(f"no operator {name!r} here")
        else:
            parts.append(_field(name, value, fields, depth))
    return _joined(parts, "AND")


def _value(name: str, value: Any, fields: Fields) -> Any:
    if isinstance(value, (dict, list)):
        raise invalid(f"{name}: a text or number was expected")
    if isinstance(value, bool):
        return int(value)
    if name in fields.moments and isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError as error:
            raise invalid(f"{name}: no date and time as in RFC 3339") from error
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).isoformat()
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise invalid(f"{name}: a number out of range")
    return value


def _field(name: str, value: Any, fields: Fields, depth: int) -> tuple[str, list[Any]]:
    column = fields.sql(name)
    if isinstance(value, list):
        if value and value[0] in ("-and", "-or"):
            return _joined([_field(name, each, fields, depth + 1) for each in value[1:]], value[0][1:].upper())
        return _joined([_field(name, each, fields, depth + 1) for each in value], "OR")
    if not isinstance(value, dict):
        if value is None:
            return f"{column} IS NULL", []
        return f"{column} = ?", [_value(name, value, fields)]
    return _joined([_operator(name, column, operator, operand, fields) for operator, operand in value.items()], "AND")


def _operator(name: str, column: str, operator: str, operand: Any, fields: Fields) -> tuple[str, list[Any]]:
    plain = {"-not": "!="}.get(operator, operator)
    if plain in _COMPARED:
        if isinstance(operand, list):
            return _joined([_operator(name, column, plain, each, fields) for each in operand], "OR")
        if operand is None and plain in ("=", "!="):
            return f"{column} IS {'NOT ' if plain == '!=' else ''}NULL", []
        return f"{column} {_COMPARED[plain]} ?", [_value(name, operand, fields)]
    if operator in ("-like", "-not_like"):
        return f"{column} {'NOT ' if operator == '-not_like' else ''}LIKE ?", [_value(name, operand, fields)]
    if operator in ("-in", "-not_in"):
        if not isinstance(operand, list):
            raise invalid(f"{name}: {operator} takes an array")
        values = [_value(name, each, fields) for each in operand]
        word = "NOT IN" if operator == "-not_in" else "IN"
        return f"{column} {word} ({','.join('?' * len(values))})", values
    if operator in ("-between", "-not_between"):
        if not isinstance(operand, list) or len(operand) != 2:
            raise invalid(f"{name}: {operator} takes two values")
        word = "NOT BETWEEN" if operator == "-not_between" else "BETWEEN"
        return f"{column} {word} ? AND ?", [_value(name, each, fields) for each in operand]
    if operator == "-ident":
        return f"{column} = {fields.sql(str(operand))}", []
    if operator == "-regexp":
        return f"{column} REGEXP ?", [str(operand)]
    raise invalid(f"no operator {operator!r}")


def order(names: list[str], fields: Fields) -> str:
    """`+name` and `-name` as SQL; the id goes last, so that pages do not overlap."""
    parts = []
    for name in names:
        direction = "DESC" if name.startswith("-") else "ASC"
        # A plus that was not escaped comes as a blank.
        parts.append(f"{fields.sql(name.lstrip('+- '))} {direction}")
    return ", ".join([*parts, "id"])
