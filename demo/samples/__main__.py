"""`python -m demo.samples --to DIR`: write the sample drops."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from demo.samples import authorities, drops, feeds, museum, pages


def files() -> dict[str, bytes]:
    """Path below DIR to content. A batch's manifest comes after its pages."""
    out: dict[str, bytes] = {}
    for source, drop in (("ebooks", drops.ebooks()), ("consortium", drops.consortium())):
        out[f"marc/{source}/{drop.name}"] = drop.data
    for batch_id, batch in (("demo-0001", pages.batch()), ("demo-0002", pages.small_batch())):
        for name, data in batch.items():
            out[f"scans/{batch_id}/{name}"] = data
        text = json.dumps(pages.manifest(batch_id, batch), indent=2)
        out[f"scans/{batch_id}/manifest.json"] = text.encode() + b"\n"
    out["museum/prints/prints.csv"] = museum.prints()
    out["museum/objects/objects.xml"] = museum.objects()
    out["authorities/demo/headings.mrc"] = authorities.authorities()
    out["feeds/students/students.csv"] = feeds.students()
    out["feeds/shelving/items.csv"] = feeds.items()
    out["feeds/serials/serials.mrc"] = feeds.serials()
    return out


def put(path: Path, data: bytes) -> bool:
    """Write a file whole or not at all; False, and nothing touched, where it has this content already."""
    if path.is_file() and path.stat().st_size == len(data) and path.read_bytes() == data:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(data)
    part.replace(path)
    return True


def main(given: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m demo.samples", description=__doc__)
    parser.add_argument(
        "--to", type=Path, required=True, help="folder that gets marc/, scans/, museum/, authorities/ and feeds/"
    )
    parser.add_argument(
        "--without", action="append", default=[], metavar="FOLDER", help="leave this folder out, as feeds/serials"
    )
    chosen = parser.parse_args(given)
    for name, data in files().items():
        if any(Path(name).is_relative_to(each) for each in chosen.without):
            continue
        done = put(chosen.to / name, data)
        sys.stdout.write(f"{'written' if done else 'as it was'}  {name}  {len(data)} bytes\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
