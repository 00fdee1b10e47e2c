"""Holdings records (MFHD) for the tests."""

from __future__ import annotations

from pymarc import Field, Indicators, Record, Subfield

LEADER = "00000cy  a22000001n 4500"


def mfhd(number: str, *fields: tuple[str, str], leader: str = LEADER) -> bytes:
    record = Record(leader=leader, force_utf8=True)
    if number:
        record.add_field(Field(tag="001", data=number))
    record.add_field(Field(tag="004", data="in00000000001"))
    for tag, text in fields:
        pairs = [Subfield(code=piece[0], value=piece[1:]) for piece in text.split("$")[1:]]
        record.add_field(Field(tag=tag, indicators=Indicators(" ", " "), subfields=pairs))
    return bytes(record.as_marc())
