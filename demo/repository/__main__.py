"""`python -m demo.repository --port N`: the repository on loopback, with the sample records, until it is stopped."""

from __future__ import annotations

import argparse
import datetime as dt
import sys

from demo.loopback import listen, serve
from demo.repository.app import Repository
from demo.repository.content import fill
from demo.repository.store import Store


def main(given: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m demo.repository", description=__doc__)
    parser.add_argument("--port", type=int, default=8091, help="0: a free one")
    parser.add_argument("--page-items", type=int, default=50, help="items on a page")
    chosen = parser.parse_args(given)
    repository = Repository(Store(), page_items=chosen.page_items)
    count = fill(repository.store, dt.datetime.now(dt.UTC).date())
    listener = listen(chosen.port)
    port = listener.getsockname()[1]
    sys.stdout.write(f"{count} items; OAI-PMH at http://127.0.0.1:{port}/oai, SRU at http://127.0.0.1:{port}/sru\n")
    sys.stdout.flush()
    serve(repository.app, listener)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
