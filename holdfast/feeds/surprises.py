"""Which changes of a feed's plan a person should look at first: holdfast.catalogue.surprises, with reasons of holdings, items and patrons.

What is private is compared by tokens: that it changes is known, how much is not.
"""

from __future__ import annotations

import polars as pl

from holdfast.catalogue.surprises import Reasons, worth
from holdfast.feeds.elements import KEYS

# By which a person is told from another; two of them changed at once may be somebody else under the same number.
_PERSON = ("last_name", "first_name", "date_of_birth")
_NUMBERS = tuple(sorted({each for keys in KEYS.values() for each in keys}))
_WHAT = ("call_number", "statement", "volume", "enumeration", "chronology")
_LENT = "(?i)checked out|on loan|lent"


def feed_reasons(day: str) -> Reasons:
    """Of a feed of that day (ISO 8601). Changes: shape patch.CHANGES, the element as tag."""
    element, before, after = pl.col("tag"), pl.col("before"), pl.col("after")
    update, changed = pl.col("action") == "update", before.is_not_null()
    unlike = 1 - pl.col("likeness")
    expired, status = (pl.col("action") == "expire") & (element == "expires"), (element == "status") & changed
    ends = update & (element == "expires")
    person = element.is_in(_PERSON) & changed
    others = person.sum().over("record") > 1
    # Of text dates: a year on is the same text with the next year.
    next_year = f"{int(day[:4]) + 1}{day[4:]}"
    points = [
        worth("expired, for no row names the patron", expired, 5),
        worth("the account had a year or more to go", expired & (before.is_null() | (before >= next_year)), 1),
        worth("the account would be over at once", ends & (after <= day) & (before.is_null() | (before > day)), 5),
        worth("the account ends earlier", ends & (after > day) & (before.is_null() | (after < before)), 2),
        worth("the account is closed", (element == "active") & (after == "false"), 5),
        worth("perhaps another person: several of names and date of birth change", person & others, 5),
        worth("hidden from the public", (element == "suppressed") & (after == "true"), 6),
        worth("shown to the public again", (element == "suppressed") & (after == "false") & changed, 3),
        worth("lent out, and would not be by its status", status & before.str.contains(_LENT), 6),
        worth("another status, which circulation sets", status & ~before.str.contains(_LENT), 3),
        worth("moves to another record", element.is_in(["bib", "holdings"]) & changed, 5),
        worth("another number or barcode", element.is_in(_NUMBERS) & changed, 3),
        worth("another patron group", (element == "group") & changed, 2),
        worth("said quite differently", element.is_in(_WHAT) & changed & (unlike > 0.5), 1 + 2 * unlike),
        worth(
            "stands elsewhere, or is lent otherwise",
            element.is_in(["location", "library", "material_type", "loan_type"]) & changed,
            1,
        ),
    ]
    return Reasons(points, element.is_in(_WHAT), pl.lit(False))
