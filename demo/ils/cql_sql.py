"""CQL compiled to SQL over the columns and the JSON body of one table.

What has a column is asked through its index (`id > x sortBy id`, `metadata.updatedDate > x`); everything else is read
out of the body with SQLite's JSON functions. Values are always bound, never written into the statement.
"""
# ruff: noqa: S608  only column names out of our own tables stand in the text of a statement; values are bound

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson

from demo.ils.cql import BadCql, Clause, Node, parse

DEEPEST = 200
MOST_CLAUSES = 2000
DATES = frozenset({"metadata.createdDate", "metadata.updatedDate"})
JSON_TEXT = "CASE j.type WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' ELSE CAST(j.value AS TEXT) END"


@dataclass(frozen=True)
class Statement:
    """The part of a SELECT after the table's name, without LIMIT: `where` and `order`, with what is bound."""

    where: str
    order: str
    values: tuple[str, ...]
    order_values: tuple[str, ...]


def compile_query(text: str, columns: Mapping[str, str], has_identifiers: bool = False) -> Statement:
    """`columns` maps CQL fields to columns. Raises BadCql."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise BadCql("not valid Unicode") from error
    query = parse(text)
    compiler = _Compiler(columns, has_identifiers)
    where = compiler.node(query.condition, 0) if query.condition is not None else "1"
    order, order_values = [], []
    for field, descending in query.sort[:8]:
        direction = " DESC" if descending else ""
        if field in columns:
            order.append(columns[field] + direction)
        else:
            order.append("json_extract(body, ?)" + direction)
            order_values.append(_path(field))
    if not any(part.split()[0] == "id" for part in order):
        order.append("id" + (" DESC" if query.sort and query.sort[0][1] else ""))
    return Statement(where, ", ".join(order), tuple(compiler.bound), tuple(order_values))


def words(text: str) -> list[str]:
    """A text as words for `=`: without case and diacritics."""
    plain = "".join(c for c in unicodedata.normalize("NFD", text.casefold()) if not unicodedata.combining(c))
    return re.findall(r"\w+", plain)


def words_column(text: str) -> str:
    """The words with a space around each, so that `LIKE '% word %'` finds whole ones."""
    return " " + " ".join(words(text)) + " "


def _path(field: str) -> str:
    return "$" + "".join(f'."{part}"' for part in field.split("."))


def _pieces(value: str) -> list[tuple[str, bool]]:
    """Characters of a value, and whether each is a wildcard (`*`, `?` without a backslash before it)."""
    out: list[tuple[str, bool]] = []
    escaped = False
    for char in value:
        if escaped:
            out.append((char, False))
            escaped = False
        elif char == "\\":
            escaped = True
        else:
            out.append((char, char in "*?"))
    if escaped:
        out.append(("\\", False))
    return out


def literal(value: str) -> str | None:
    """The value without its backslashes; None where it has wildcards."""
    pieces = _pieces(value)
    return None if any(wild for _, wild in pieces) else "".join(char for char, _ in pieces)


def glob(value: str) -> str:
    """The value as a pattern for SQLite's GLOB."""
    return "".join(char if wild else f"[{char}]" if char in "*?[" else char for char, wild in _pieces(value))


def _date(value: str) -> str:
    """A date as it is stored, in UTC with milliseconds; what is no date stays, to be compared as text."""
    try:
        moment = datetime.fromisoformat(value)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return moment.astimezone(UTC).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError):
        return value


class _Compiler:
    def __init__(self, columns: Mapping[str, str], has_identifiers: bool) -> None:
        self.columns = columns
        self.has_identifiers = has_identifiers
        self.bound: list[str] = []
        self.clauses = 0

    def bind(self, value: str) -> str:
        self.bound.append(value)
        return "?"

    def node(self, node: Node, depth: int) -> str:
        if depth > DEEPEST:
            raise BadCql(f"more than {DEEPEST} changes between and, or, not")
        if isinstance(node, Clause):
            self.clauses += 1
            if self.clauses > MOST_CLAUSES:
                raise BadCql(f"more than {MOST_CLAUSES} conditions; use field == (a or b or …)")
            return self.clause(node)
        if node.operator == "not":
            left = self.node(node.parts[0], depth + 1)
            return f"({left} AND NOT coalesce({self.node(node.parts[1], depth + 1)}, 0))"
        return self.balanced([self.node(part, depth + 1) for part in node.parts], node.operator.upper())

    def balanced(self, parts: list[str], operator: str) -> str:
        """A long chain as a shallow tree: SQLite bounds the depth of an expression. The order of values stays."""
        if len(parts) == 1:
            return parts[0]
        half = len(parts) // 2
        return f"({self.balanced(parts[:half], operator)} {operator} {self.balanced(parts[half:], operator)})"

    def clause(self, clause: Clause) -> str:
        if clause.field == "cql.allRecords":
            if clause.relation not in ("=", "==") or clause.values != ("1",):
                raise BadCql("cql.allRecords only knows = 1")
            return "1"
        if clause.field.startswith("cql."):
            raise BadCql(f"{clause.field}: not supported")
        if self.has_identifiers and clause.field == "identifiers":
            return self.identifiers(clause)
        if clause.modifiers:
            raise BadCql(f"{clause.field}: modifiers are supported on identifiers only")
        column = self.columns.get(clause.field)
        literals = [literal(value) for value in clause.values]
        if column and clause.relation == "==" and len(literals) > 1 and None not in literals:
            return f"{column} IN (SELECT value FROM json_each({self.bind(orjson.dumps(literals).decode())}))"
        parts = [self.comparison(clause.field, column, clause.relation, value) for value in clause.values]
        return self.balanced(parts, "AND" if clause.relation == "<>" else "OR")

    def comparison(self, field: str, column: str | None, relation: str, value: str) -> str:
        if relation == "=" and value == "":
            if column:
                return f"{column} IS NOT NULL"
            return f"json_type(body, {self.bind(_path(field))}) IS NOT NULL"
        if relation == "<>":
            return f"NOT coalesce({self.comparison(field, column, '==', value)}, 0)"
        if field == "title" and column:
            return self.title(column, relation, value)
        if column:
            return self.column(field, column, relation, value)
        path = self.bind(_path(field))
        found = self.text(JSON_TEXT, relation, value)
        return f"EXISTS (SELECT 1 FROM json_each(body, {path}) j WHERE {found})"

    def column(self, field: str, column: str, relation: str, value: str) -> str:
        """Identifiers and dates: compared as they are, through the index."""
        plain = literal(value)
        if relation in ("=", "=="):
            if plain is None:
                return f"{column} GLOB {self.bind(glob(value))}"
            return f"{column} = {self.bind(_date(plain) if field in DATES else plain)}"
        bound = value if plain is None else plain
        return f"{column} {relation} {self.bind(_date(bound) if field in DATES else bound)}"

    def title(self, column: str, relation: str, value: str) -> str:
        if relation != "=":
            return self.text(column, relation, value)
        return self.all_words("title_words", value)

    def all_words(self, column: str, value: str) -> str:
        """Every word is there; a word with `*` at its end or start is matched so far."""
        parts = []
        for word in value.split():
            front, back = word.startswith("*"), word.endswith("*")
            for number, bare in enumerate(found := words(word)):
                left = "" if front and number == 0 else " "
                right = "" if back and number == len(found) - 1 else " "
                parts.append(f"{column} LIKE {self.bind('%' + left + bare.replace('_', '') + right + '%')}")
        return self.balanced(parts[:64], "AND") if len(parts) <= 64 and parts else self.only_wildcards(value)

    def only_wildcards(self, value: str) -> str:
        if len(value.split()) > 64:
            raise BadCql("more than 64 words")
        return "1" if "*" in value else "0"

    def text(self, expression: str, relation: str, value: str) -> str:
        """Text without regard to (ASCII) case, as FOLIO compares by default."""
        plain = literal(value)
        if relation == "=":
            pattern = "*" + glob(value).strip("*").lower() + "*"
            return f"lower({expression}) GLOB {self.bind(pattern)}"
        if relation == "==" and plain is None:
            return f"lower({expression}) GLOB {self.bind(glob(value).lower())}"
        operator = "=" if relation == "==" else relation
        return f"lower({expression}) {operator} lower({self.bind(value if plain is None else plain)})"

    def identifiers(self, clause: Clause) -> str:
        """`identifiers = "x"`, `identifiers =/@value "x"`, `identifiers =/@identifierTypeId=T "x"`."""
        type_id = ""
        for name, value in clause.modifiers:
            if name == "@identifierTypeId" and value:
                type_id = value
            elif name != "@value" or value:
                raise BadCql(f"identifiers: modifier {name}={value} is not supported")
        if clause.relation not in ("=", "==", "<>"):
            raise BadCql(f"identifiers: {clause.relation} is not supported")
        parts = []
        for value in clause.values:
            plain = literal(value)
            match = f"GLOB {self.bind(glob(value))}" if plain is None else f"= {self.bind(plain)}"
            if plain == "":
                self.bound.pop()
                match = "IS NOT NULL"
            kind = f" AND i.type_id = {self.bind(type_id)}" if type_id else ""
            found = f"id IN (SELECT i.instance_id FROM instance_identifier i WHERE i.value {match}{kind})"
            parts.append(f"NOT {found}" if clause.relation == "<>" else found)
        return self.balanced(parts, "AND" if clause.relation == "<>" else "OR")
