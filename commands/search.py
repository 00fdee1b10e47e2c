"""`holdfast search "blake watercolour"`: what the public sees."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Sequence

from commands.running import use_what_runs
from holdfast.environment import read_environment
from holdfast.settings import load_settings
from resources.postgres.client import Postgres
from resources.search.client import MOST_HITS, Hit, Search
from resources.search.elastic import ElasticIndex


def add(parsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = parsers.add_parser("search", help="search the public museum catalogue")
    parser.add_argument("text", help='words (all of them), "a phrase", -not')
    parser.add_argument("--collection", help="only this one, as named in holdfast.toml")
    parser.add_argument("--limit", type=_limit, default=10, help=f"hits at most (10; {MOST_HITS} is the most)")
    parser.add_argument("--json", action="store_true", help="a JSON object a line")
    parser.set_defaults(call=search)


def _limit(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MOST_HITS:
        raise argparse.ArgumentTypeError(f"must be a number from 1 to {MOST_HITS}")
    return int(text)


def search(arguments: argparse.Namespace) -> int:
    """0 where something was found, 1 where nothing was."""
    use_what_runs(load_settings())
    environment = read_environment()
    postgres = Postgres(environment.need("HOLDFAST_POSTGRES_URL"), connections=1)
    elastic = environment.get("HOLDFAST_ELASTICSEARCH_URL")
    client = Search(postgres, ElasticIndex(elastic) if elastic else None)
    try:
        postgres.migrate()
        hits = client.search(arguments.text, arguments.collection, arguments.limit)
    finally:
        client.close()
        postgres.close()
    print(as_lines(hits) if arguments.json else as_text(hits))
    if not hits:
        print(f"nothing has {arguments.text!r}", file=sys.stderr)
    return 0 if hits else 1


def as_lines(hits: Sequence[Hit]) -> str:
    return "\n".join(json.dumps(dataclasses.asdict(hit), ensure_ascii=False) for hit in hits)


def as_text(hits: Sequence[Hit]) -> str:
    """Two lines a hit: what it is, and the words around what was looked for."""
    lines = []
    for hit in hits:
        said = ", ".join(part for part in (hit.title, "; ".join(hit.creators), hit.date_text) if part)
        lines.append(f"{hit.score:8.3f}  {hit.collection}/{hit.identifier}  {said}")
        lines += [f"          {hit.snippet}"] if hit.snippet else []
    return "\n".join(_printable(line) for line in lines)


def _printable(line: str) -> str:
    # Catalogue text is not ours: it must not steer a terminal.
    return "".join(each if each.isprintable() else " " for each in line)
