"""CQL, the part that FOLIO's storage modules are asked in: a tokenizer and a recursive-descent parser.

query     := [boolean] [sortBy key…]
boolean   := clause ((and | or | not) clause)*          left to right, as CQL 1.2 has it: no precedence
clause    := '(' boolean ')' | field relation values | term
relation  := (== | = | <> | < | > | <= | >=) modifier*   modifier := /@name [= value]
values    := term | '(' term (or term)* ')'
key       := field (/sort.ascending | /sort.descending)*
"""

from __future__ import annotations

import re
from dataclasses import dataclass

DEEPEST = 64
LONGEST = 1_000_000
RELATIONS = ("==", "<=", ">=", "<>", "=", "<", ">")
TOKEN = re.compile(
    r"""\s*(?:(?P<quoted>"(?:[^"\\]|\\.)*")|(?P<relation>==|<=|>=|<>|=|<|>)|(?P<mark>[()/])|(?P<word>[^\s()/<>="]+))""",
    re.DOTALL,
)
FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*\Z")


class BadCql(ValueError):
    """The query cannot be read, or asks for what does not exist. The message names the place."""


@dataclass(frozen=True)
class Clause:
    """`field relation values`; several values are alternatives. `modifiers`: `/@name=value`, value may be empty."""

    field: str
    relation: str
    values: tuple[str, ...]
    modifiers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Boolean:
    """`operator` is `and`, `or` or `not`; `not` has two parts: the first without the second."""

    operator: str
    parts: tuple[Node, ...]


Node = Clause | Boolean


@dataclass(frozen=True)
class Query:
    """What to find (None: everything) and how to sort: (field, descending)."""

    condition: Node | None
    sort: tuple[tuple[str, bool], ...]


@dataclass(frozen=True)
class Token:
    kind: str
    text: str
    at: int

    def is_word(self, *words: str) -> bool:
        return self.kind == "word" and self.text.lower() in words


def parse(text: str) -> Query:
    """Raises BadCql on anything that is not a query; nothing else."""
    if len(text) > LONGEST:
        raise BadCql(f"query longer than {LONGEST} characters")
    return _Parser(_tokens(text)).query()


def _tokens(text: str) -> list[Token]:
    out: list[Token] = []
    at = 0
    end = len(text.rstrip())
    while at < end:
        match = TOKEN.match(text, at)
        if match is None:
            raise BadCql(f"at {at}: cannot read {text[at : at + 20]!r}")
        kind = str(match.lastgroup)
        found = match.group(kind)
        if kind == "quoted":
            # \" and \\ lose their backslash; \* and \? keep it: the compiler has to know that they are no wildcards.
            found = found[1:-1].replace('\\"', '"')
        out.append(Token(kind, found, match.start(kind)))
        at = match.end()
    return out


class _Parser:
    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = tokens
        self.at = 0

    def peek(self) -> Token:
        return self.tokens[self.at] if self.at < len(self.tokens) else Token("end", "", -1)

    def take(self) -> Token:
        token = self.peek()
        self.at += 1
        return token

    def query(self) -> Query:
        if self.peek().kind == "end":
            raise BadCql("empty query")
        condition = None if self.peek().is_word("sortby") else self.boolean(0)
        sort: list[tuple[str, bool]] = []
        if self.peek().is_word("sortby"):
            self.take()
            while self.peek().kind != "end":
                sort.append(self.sort_key())
            if not sort:
                raise BadCql("sortBy without a field")
        if self.peek().kind != "end":
            raise BadCql(f"at {self.peek().at}: {self.peek().text!r} was not expected")
        return Query(condition, tuple(sort))

    def sort_key(self) -> tuple[str, bool]:
        name = self.field(self.take())
        descending = False
        while self.peek().text == "/" and self.peek().kind == "mark":
            self.take()
            modifier = self.take()
            if modifier.text.lower() in ("sort.descending", "sort.ascending"):
                descending = modifier.text.lower() == "sort.descending"
            elif modifier.kind != "word" or not modifier.text.lower().startswith(("sort.", "number", "string")):
                raise BadCql(f"at {modifier.at}: {modifier.text!r} is no sort modifier")
        return name, descending

    def boolean(self, depth: int) -> Node:
        if depth > DEEPEST:
            raise BadCql(f"more than {DEEPEST} parentheses within each other")
        left = self.clause(depth)
        while self.peek().is_word("and", "or", "not"):
            operator = self.take().text.lower()
            right = self.clause(depth)
            if operator != "not" and isinstance(left, Boolean) and left.operator == operator:
                left = Boolean(operator, (*left.parts, right))
            else:
                left = Boolean(operator, (left, right))
        return left

    def clause(self, depth: int) -> Node:
        token = self.take()
        if token.kind == "mark" and token.text == "(":
            inner = self.boolean(depth + 1)
            self.expect(")")
            return inner
        if token.kind not in ("word", "quoted") or token.is_word("and", "or", "not", "sortby"):
            raise BadCql(f"at {token.at}: a field was expected, {token.text!r} found")
        if self.peek().kind != "relation":
            raise BadCql(f"at {token.at}: {token.text!r} has no relation (==, =, <>, <, >, <=, >=)")
        name = self.field(token)
        relation = self.take().text
        modifiers: list[tuple[str, str]] = []
        while self.peek().kind == "mark" and self.peek().text == "/":
            self.take()
            modifiers.append(self.modifier())
        return Clause(name, relation, self.values(), tuple(modifiers))

    def modifier(self) -> tuple[str, str]:
        token = self.take()
        if token.kind != "word":
            raise BadCql(f"at {token.at}: a modifier was expected")
        if self.peek().kind == "relation" and self.peek().text == "=":
            self.take()
            return token.text, self.term()
        return token.text, ""

    def values(self) -> tuple[str, ...]:
        if not (self.peek().kind == "mark" and self.peek().text == "("):
            return (self.term(),)
        self.take()
        out = [self.term()]
        while self.peek().is_word("or"):
            self.take()
            out.append(self.term())
        self.expect(")")
        return tuple(out)

    def term(self) -> str:
        token = self.take()
        if token.kind not in ("word", "quoted"):
            raise BadCql(f"at {token.at}: a value was expected, {token.text or 'the end'!r} found")
        return token.text

    def field(self, token: Token) -> str:
        if token.kind not in ("word", "quoted") or not FIELD.match(token.text):
            raise BadCql(f"at {token.at}: {token.text!r} is no field")
        return token.text

    def expect(self, mark: str) -> None:
        token = self.take()
        if token.kind != "mark" or token.text != mark:
            raise BadCql(f"at {token.at}: {mark!r} was expected, {token.text or 'the end'!r} found")
