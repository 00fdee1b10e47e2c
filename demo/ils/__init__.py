"""An ILS to try Holdfast on: FOLIO's published API over one SQLite file, with an audit log and faults on demand.

Start it with `python -m demo.ils --data DIR --port 0`. What it speaks is FOLIO's; paths under `/_demo` are its own.
"""
