"""`python -m benchmarks [--quick]`: every benchmark, one after the other."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

NO_CLAIM = {"__init__", "__main__", "measure", "planned_load"}


def names() -> list[str]:
    return sorted(path.stem for path in Path(__file__).parent.glob("*.py") if path.stem not in NO_CLAIM)


def main() -> int:
    codes = []
    for name in names():
        print(f"\n# {name}", flush=True)
        codes.append(subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *sys.argv[1:]]).returncode)
    return max(codes, default=0)


if __name__ == "__main__":
    sys.exit(main())
