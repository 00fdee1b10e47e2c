"""`python -m tests.faults.hundred_kills --seed N`: a hundred kills while 5,000 changes are written (see killing.py)."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from pathlib import Path

from resources.embedded.services import start, stop
from resources.postgres.client import Postgres
from tests.demo_ils import DemoIls
from tests.faults.killing import Place, kill_and_write


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.hundred_kills", description=__doc__)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--windows", type=int, default=5)
    parser.add_argument("--changes", type=int, default=1000, help="of a window")
    given = parser.parse_args()
    seed = random.randrange(10**6) if given.seed is None else given.seed
    print(f"HOLDFAST_TEST_SEED={seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="holdfast-kills-") as name:
        folder = Path(name)
        ils = DemoIls(folder / "ils")
        try:
            services = start(folder)
            postgres = Postgres(services.postgres_url)
            postgres.migrate()
            postgres.close()
            place = Place(folder / "lake", services.postgres_url, services.redis_url, ils.url, "kills")
            shape = {"kills": given.kills, "windows": given.windows, "changes": given.changes}
            print(kill_and_write(place, ils, seed, **shape, most=1200))
        finally:
            ils.kill()
            stop(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
