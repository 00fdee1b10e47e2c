"""Feeds: students of an invented registry, items of a reclassification, holdings of serials. All people are invented.

Of the demo library's students the registry does not name two, who are expired; it has changed some, and brings new ones. One row
has no date where one should be, and one a status that the library does not know.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from pymarc import Field, Indicators, Record, Subfield

from demo.ils.patrons import GROUPS, sample_user
from demo.samples.seed import PATRONS, catalogue, item

STUDENTS = ("undergrad", "graduate")
GONE = 2
CHANGED, NEW, RECLASSIFIED = 4, 6, 12
_HEAD = ("matriculation", "card", "login", "family_name", "given_name", "mail", "born", "status", "until")
_NEW = (
    ("Noor", "Abalone"),
    ("Ines", "Barnacle"),
    ("Tomas", "Cuttle"),
    ("Yuki", "Dulse"),
    ("Per", "Eelgrass"),
    ("Zoe", "Fulmar"),
)


def students() -> bytes:
    """The registry's file of everybody: UTF-8, a header row."""
    rows: list[tuple[str, ...]] = []
    users = [sample_user(number) for number in range(1, PATRONS + 1)]
    known = [user for user in users if GROUPS[user["patronGroup"]] in STUDENTS][GONE:]
    for number, user in enumerate(known):
        person, group = user["personal"], GROUPS[user["patronGroup"]]
        until = "31.12.2031" if number < CHANGED else "31.12.2030"
        names = (user["username"], person["lastName"], person["firstName"], person["email"])
        rows.append((user["externalSystemId"], user["barcode"], *names, "", group, until))
    for number, (first, last) in enumerate(_NEW, 1):
        login = f"{first}.{last}".lower()
        key, card = f"n{number:06d}@registry.example", f"2123500{number:07d}"
        born = f"{number:02d}.04.2006"
        rows.append((key, card, login, last, first, f"{login}@mail.example", born, "undergrad", "30.09.2031"))
    rows.append(
        (
            *("n900001@registry.example", "21235009000011", "ola.gannet", "Gannet", "Ola", "", "", "graduate"),
            "next summer",
        )
    )
    rows.append(
        (*("n900002@registry.example", "21235009000029", "kim.heron", "Heron", "Kim", "", "", "emeritus"), "30.09.2031")
    )
    return _csv(_HEAD, rows)


def items() -> bytes:
    """New call numbers for printed books of the catalogue; the last barcode is of no item."""
    printed = [item(live) for live in catalogue() if not live.electronic][:RECLASSIFIED]
    rows = [(each["barcode"], f"PN {number}.{100 + number}", "", "1", "") for number, each in enumerate(printed, 1)]
    rows.append(("39000099999999", "PN 99.199", "", "1", ""))
    return _csv(("barcode", "signature", "volume", "copy", "loan"), rows)


def serials() -> bytes:
    """Three holdings records in ISO 2709: one in words, one in captions and numbers, and one of a location that nobody knows."""
    bib = catalogue()[0].hrid
    return b"".join(
        (
            _mfhd("demo-serial-1", bib, ("852", "$bML/STACKS$hPER 1$xGift of a reader; not to be named"), ("866", "$av.1 (1950)-v.44 (1993)")),
            _mfhd("demo-serial-2", bib, ("852", "$bML/RR$hPER 2"), ("853", "$81$av.$bno.$i(year)"), ("863", "$81.1$a1-12$i1994-2005")),
            _mfhd("demo-serial-3", bib, ("852", "$bATTIC$hPER 3")),
        )
    )  # fmt: skip


def _mfhd(number: str, bib: str, *fields: tuple[str, str]) -> bytes:
    record = Record(leader="00000ny  a22000001n 4500", force_utf8=True)
    record.add_field(Field(tag="001", data=number), Field(tag="004", data=bib))
    for tag, text in fields:
        subfields = [Subfield(code=piece[0], value=piece[1:]) for piece in text.split("$")[1:]]
        record.add_field(Field(tag=tag, indicators=Indicators(" ", " "), subfields=subfields))
    return bytes(record.as_marc())


def _csv(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(head)
    writer.writerows(rows)
    return text.getvalue().encode()
