"""A scanner that fills a hot folder: the files first, slowly if asked, the manifest last.

`python -m demo.scanner.hot_folder --to DIR [--batch demo-0002] [--seconds-a-file S]`
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from demo.samples import pages

CHUNKS = 8
BATCHES = {"demo-0001": pages.batch, "demo-0002": pages.small_batch}


def fill(folder: Path, batch_id: str, files: dict[str, bytes], seconds_a_file: float = 0.0) -> Path:
    """Put a batch into `folder/<batch_id>`, each file growing over `seconds_a_file` as one on a network share does.

    Returns the manifest's path; it is there, whole, when everything else is.
    """
    drop = folder / batch_id
    for name, data in sorted(files.items()):
        path = drop / name
        path.parent.mkdir(parents=True, exist_ok=True)
        size = max(1, -(-len(data) // CHUNKS))
        with path.open("wb") as file:
            for start in range(0, len(data), size):
                file.write(data[start : start + size])
                if seconds_a_file:
                    file.flush()
                    time.sleep(seconds_a_file / CHUNKS)
    manifest = drop / "manifest.json"
    part = drop / ".manifest.json.part"
    part.write_text(json.dumps(pages.manifest(batch_id, files), indent=2) + "\n", encoding="utf-8")
    part.replace(manifest)
    return manifest


def main(given: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m demo.scanner.hot_folder", description=__doc__)
    parser.add_argument("--to", type=Path, required=True, help="the hot folder")
    parser.add_argument("--batch", choices=sorted(BATCHES), default="demo-0002")
    parser.add_argument("--name", help="name of the batch in the folder and in the manifest; default: the batch's own")
    parser.add_argument("--seconds-a-file", type=float, default=0.0, help="how long a file takes to arrive")
    chosen = parser.parse_args(given)
    name = chosen.name or chosen.batch
    sys.stdout.write(f"{fill(chosen.to, name, BATCHES[chosen.batch](), chosen.seconds_a_file)}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
