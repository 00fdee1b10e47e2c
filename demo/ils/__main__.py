"""`python -m demo.ils --data DIR --port N`: the ILS on loopback, until it is stopped or killed."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from demo.ils.app import Options, build
from demo.loopback import listen, serve, tell

HEADERS_AT_MOST = 4 * 1024 * 1024  # a correlation id for each of 10,000 records fits


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m demo.ils", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the ILS's one file, ils.sqlite")
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    parser.add_argument("--port-file", type=Path, help="the port is written to it once the ILS listens")
    parser.add_argument("--seed", action="store_true", help="put the sample catalogue in first, if it is not there")
    parser.add_argument("--token-seconds", type=float, default=600, help="life of an access token")
    parser.add_argument("--refresh-seconds", type=float, default=7 * 24 * 3600, help="life of a refresh token")
    parser.add_argument("--secure-cookies", action="store_true", help="mark cookies Secure, as FOLIO behind HTTPS does")
    parser.add_argument("--most-in-batch", type=int, default=int(os.environ.get("POST_SYNC_MAX_ENTITIES", "10000")))
    return parser.parse_args(given)


def main(given: list[str] | None = None) -> int:
    chosen = arguments(given)
    path = chosen.data / "ils.sqlite"
    if chosen.seed:
        from demo.samples.seed import seed_store

        seed_store(path)
    options = Options(
        access_seconds=chosen.token_seconds,
        refresh_seconds=chosen.refresh_seconds,
        secure_cookies=chosen.secure_cookies,
        most_in_batch=chosen.most_in_batch,
    )
    app, listener = build(path, options), listen(chosen.port)
    tell(listener, chosen.port_file)
    serve(app, listener, timeout_keep_alive=75, h11_max_incomplete_event_size=HEADERS_AT_MOST)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
