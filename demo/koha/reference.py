"""Libraries, item types, and the patron whose API key it is: what a Koha has before the first record."""

from __future__ import annotations

import orjson

from demo.ils.store import Store
from demo.koha import shapes
from demo.koha.store import seconds

# Koha's own patron and staff, and the groups of the samples: what categories a library has it chooses itself.
CATEGORIES = frozenset({"PT", "S", "undergrad", "graduate", "faculty", "staff"})


def furnish(store: Store) -> None:
    """Put in what is missing."""
    with store.writing() as (connection, now):
        for code, name in (("MAIN", "Main library"), ("BRANCH", "Branch library")):
            body = shapes.whole(
                shapes.LIBRARY, {"library_id": code, "name": name}, {"pickup_location": True, "public": True}
            )
            connection.execute(
                "INSERT OR IGNORE INTO library VALUES (?, ?, ?)", (code, now, orjson.dumps(body).decode())
            )
        for code, name in (("BK", "Books"), ("EB", "Electronic books")):
            body = {"item_type_id": code, "description": name, "hide_in_opac": False, "not_for_loan_status": False}
            body["rentalcharge"] = None
            connection.execute(
                "INSERT OR IGNORE INTO item_type VALUES (?, ?, ?)", (code, now, orjson.dumps(body).decode())
            )
        api = {"patron_id": 1, "surname": "API", "library_id": "MAIN", "category_id": "S", "userid": "api"}
        body = shapes.whole(shapes.PATRON, api | {"updated_on": seconds(now)}, shapes.PATRON_DEFAULTS)
        connection.execute(
            "INSERT OR IGNORE INTO patron (id, userid, stamp, body) VALUES (1, 'api', ?, ?)",
            (seconds(now), orjson.dumps(body).decode()),
        )
