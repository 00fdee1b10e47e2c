"""The CQL that FOLIO's modules are asked in: parsed, compiled, run."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo.ils.cql import BadCql, Boolean, Clause, parse
from demo.ils.cql_sql import compile_query, words_column
from demo.ils.inventory import INSTANCE
from demo.ils.store import SCHEMA

ROWS = [
    ("a1", "in1", "Ulysses", "2024-01-01T00:00:00.000+00:00", '{"languages":["eng"],"discoverySuppress":true}'),
    ("b2", "in2", "Der Zauberberg", "2024-02-01T00:00:00.000+00:00", '{"languages":["ger"],"_version":2}'),
    ("c3", "in31", "L'étranger", "2024-03-01T00:00:00.000+00:00", '{"languages":["fre","eng"]}'),
]


@pytest.fixture(scope="module")
def database() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:")
    connection.executescript(SCHEMA)
    for record_id, hrid, title, updated, body in ROWS:
        row = (record_id, hrid, 1, title, words_column(title), updated, updated, body)
        connection.execute("INSERT INTO instance VALUES (?,?,?,?,?,?,?,?)", row)
    connection.execute("INSERT INTO instance_identifier VALUES ('a1', 'isbn', '123'), ('b2', 'lccn', '123')")
    yield connection
    connection.close()


def found(database: sqlite3.Connection, query: str) -> list[str]:
    statement = compile_query(query, INSTANCE.fields, has_identifiers=True)
    sql = f"SELECT id FROM instance WHERE {statement.where} ORDER BY {statement.order}"
    return [row[0] for row in database.execute(sql, (*statement.values, *statement.order_values))]


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("cql.allRecords=1", ["a1", "b2", "c3"]),
        ("cql.allRecords=1 sortBy id/sort.descending", ["c3", "b2", "a1"]),
        ("cql.allRecords=1 sortBy title", ["b2", "c3", "a1"]),
        ('id > "a1" sortBy id', ["b2", "c3"]),
        ('id == ("a1" or "c3")', ["a1", "c3"]),
        ('hrid == "in3*"', ["c3"]),
        (r'hrid == "in3\*"', []),
        ('hrid <> "in1"', ["b2", "c3"]),
        ('title = "zauberberg der"', ["b2"]),
        ('title = "etran*"', ["c3"]),
        ('title == "ULYSSES"', ["a1"]),
        ('title == "*berg"', ["b2"]),
        ('metadata.updatedDate > "2024-01-15" sortBy metadata.updatedDate', ["b2", "c3"]),
        ('metadata.updatedDate >= "2024-02-01T01:00:00.000+01:00"', ["b2", "c3"]),
        ('metadata.updatedDate < "2024-02-01T00:00:00.000Z"', ["a1"]),
        ('languages == "eng"', ["a1", "c3"]),
        ('discoverySuppress == "true"', ["a1"]),
        ('_version = ""', ["b2"]),
        ('identifiers =/@value "123"', ["a1", "b2"]),
        ('identifiers =/@value/@identifierTypeId=lccn "123"', ["b2"]),
        ('identifiers == "12*"', ["a1", "b2"]),
        ('cql.allRecords=1 not languages == "eng"', ["b2"]),
        ('hrid == "in1" or hrid == "in2" and languages == "ger"', ["b2"]),
        ('hrid == "in1" or (hrid == "in2" and languages == "ger")', ["a1", "b2"]),
        ('title == "a\'; DROP TABLE instance; --"', []),
    ],
)
def test_a_query_finds_what_it_says(database: sqlite3.Connection, query: str, ids: list[str]) -> None:
    assert found(database, query) == ids


@pytest.mark.parametrize(
    "query",
    ["", "title", "title ==", "(title == a", "title == a)", "title == a sortBy", "== a", "title == a and", "and == b",
     "title == (a or)", 'title == "a', "title == a b", "cql.allRecords = 2", "cql.what = 1", "a..b == c", "(" * 500,
     'title =/@value "x"', "title == a sortBy id/down", "id == \ud800"],
)  # fmt: skip
def test_bad_cql_is_refused(query: str) -> None:
    with pytest.raises(BadCql):
        compile_query(query, INSTANCE.fields, has_identifiers=True)


def test_boolean_operators_have_no_precedence_and_go_from_left_to_right() -> None:
    a, b, c = (Clause("f", "==", (value,)) for value in "abc")
    assert parse("f == a or f == b and f == c").condition == Boolean("and", (Boolean("or", (a, b)), c))


def test_a_walk_by_id_and_a_poll_by_date_use_their_index(database: sqlite3.Connection) -> None:
    for query, index in (('id > "a" sortBy id', "autoindex"), ("metadata.updatedDate > x sortBy metadata.updatedDate", "instance_updated")):  # fmt: skip
        statement = compile_query(query, INSTANCE.fields)
        sql = f"EXPLAIN QUERY PLAN SELECT body FROM instance WHERE {statement.where} ORDER BY {statement.order}"
        plan = " ".join(str(row[3]) for row in database.execute(sql, statement.values))
        assert "SEARCH" in plan and index in plan and "TEMP B-TREE" not in plan


def test_a_very_long_chain_is_either_answered_or_refused(database: sqlite3.Connection) -> None:
    assert found(database, " or ".join(f"hrid == in{n}" for n in range(1, 1900))) == ["a1", "b2", "c3"]
    for chain in (" or ".join(["hrid == x"] * 5000), "hrid == x" + " and hrid == y or hrid == z" * 900):
        with pytest.raises(BadCql):
            found(database, chain)
    many = " or ".join(f"in{n}" for n in range(20000))
    assert found(database, f"hrid == ({many})") == ["a1", "b2", "c3"]


PARTS = st.sampled_from(
    ["title", "id", "identifiers", "metadata.updatedDate", "x.y", "==", "=", "<>", "<", ">=", "and", "or", "not", "(",
     ")", "/", "/@value", "/@identifierTypeId=", "sortBy", "/sort.descending", '"a"', '"*"', '"\\', '"', "*", "?", "[",
     "''", "2024-01-01", "9999-12-31T23:59:59+00:01", "cql.allRecords=1", "_", "%", "\x00"]
)  # fmt: skip


@given(st.one_of(st.text(), st.lists(st.one_of(PARTS, st.text(max_size=5)), max_size=12).map(" ".join)))
def test_no_text_crashes_the_parser_or_the_database(text: str) -> None:
    connection = sqlite3.connect(":memory:")
    try:
        connection.executescript(SCHEMA)
        try:
            found(connection, text)
        except BadCql as refusal:
            assert str(refusal)
    finally:
        connection.close()
