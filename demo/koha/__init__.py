"""A Koha to try Holdfast on: its published REST API (`/api/v1`) and its OAI-PMH server over one SQLite file.

Start it with `python -m demo.koha --data DIR --port 0`. Paths under `/_demo` are its own, as in `demo.ils`.
"""
