"""`python -m demo.koha --data DIR --port N`: the Koha on loopback, until it is stopped or killed."""

from __future__ import annotations

import argparse
from pathlib import Path

from demo.koha.app import Options, build
from demo.koha.seed import seed_store
from demo.loopback import listen, serve, tell


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m demo.koha", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the Koha's one file, koha.sqlite")
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    parser.add_argument("--port-file", type=Path, help="the port is written to it once the Koha listens")
    parser.add_argument(
        "--seed", action="store_true", help="put the sample catalogue in first, if there is nothing in it"
    )
    parser.add_argument("--token-seconds", type=float, default=3600, help="life of an access token")
    parser.add_argument(
        "--no-control-number", action="store_true", help="autoControlNumber is off: a new record gets no 001"
    )
    parser.add_argument("--oai-page", type=int, default=50, help="records on a page of OAI-PMH (OAI-PMH:MaxCount)")
    return parser.parse_args(given)


def main(given: list[str] | None = None) -> int:
    chosen = arguments(given)
    path = chosen.data / "koha.sqlite"
    if chosen.seed:
        seed_store(path)
    options = Options(
        token_seconds=chosen.token_seconds, control_number=not chosen.no_control_number, oai_page=chosen.oai_page
    )
    app, listener = build(path, options), listen(chosen.port)
    tell(listener, chosen.port_file)
    serve(app, listener, timeout_keep_alive=75)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
