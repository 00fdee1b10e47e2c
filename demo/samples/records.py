"""A book as a MARC 21 record: as the e-book vendor, the consortium and the library's own catalogue have it."""

from __future__ import annotations

import unicodedata
from typing import Any

from pymarc import Field, Indicators, Leader, Record, Subfield

from demo.samples import marc8
from demo.samples.books import Book

NEW, OLD, OLDER = "20260310120000.0", "20260115090000.0", "20240105083000.0"
VENDOR, UNION, LIBRARY = "XX-HfVendor", "XX-HfUnion", "XX-HfDemo"
COUNTRIES = {
    "London": "enk", "Edinburgh": "stk", "Westminster": "enk", "Richmond": "enk", "New York": "nyu", "Boston": "mau",
    "Philadelphia": "pau", "Chicago": "ilu", "Paris": "fr ", "Berlin": "gw ", "Leipzig": "gw ", "München": "gw ",
    "Frankfurt am Main": "gw ", "Köln": "gw ", "Tübingen": "gw ", "Hamburg": "gw ", "Wien": "au ", "Zürich": "sz ",
    "Milano": "it ", "Firenze": "it ", "Roma": "it ", "Torino": "it ", "Madrid": "sp ", "Barcelona": "sp ",
    "Buenos Aires": "ag ", "México": "mx ", "Lisboa": "po ", "Porto": "po ", "Rio de Janeiro": "bl ",
    "Amsterdam": "ne ", "Stockholm": "sw ", "København": "dk ", "Praha": "xr ", "Warszawa": "pl ", "Budapest": "hu ",
    "Moskva": "ru ", "Sankt-Peterburg": "ru ", "Athēna": "gr ", "al-Qāhirah": "ua ", "Bayrūt": "le ",
    "Beijing": "cc ", "Shanghai": "cc ", "Tōkyō": "ja ", "Sŏul": "ko ", "Kyŏngsŏng": "ko ",
}  # fmt: skip
ARTICLES = {
    "eng": ("The ", "A ", "An "), "ger": ("Der ", "Die ", "Das "), "fre": ("Le ", "La ", "Les ", "L'", "Un ", "Une "),
    "ita": ("Il ", "La ", "Le ", "I "), "spa": ("El ", "La ", "Los "), "por": ("O ", "Os "), "dut": ("Het ",),
}  # fmt: skip
SCRIPTS = (  # name in Unicode, code in $6, written from right to left
    ("CYRILLIC", "(N", False),
    ("GREEK", "(S", False),
    ("HEBREW", "(2", True),
    ("ARABIC", "(3", True),
)


def subfields(*pairs: str) -> list[Subfield]:
    """`a`, value, `b`, value …; those with an empty value are left out."""
    return [Subfield(code, value) for code, value in zip(pairs[::2], pairs[1::2], strict=True) if value]


def data_field(tag: str, indicators: str, *pairs: str) -> Field:
    return Field(tag, Indicators(indicators[0], indicators[1]), subfields(*pairs))


def script_of(text: str) -> tuple[str, str]:
    """Code for $6 and the orientation that goes with it."""
    for name, code, from_right in SCRIPTS:
        if any(unicodedata.name(char, "").startswith(name) for char in text):
            return code, "/r" if from_right else ""
    return "$1", ""


def fixed_field(book: Book, electronic: bool) -> str:
    country = COUNTRIES.get(book.place, "xx ")
    form = "o" if electronic else " "
    return f"260310s{book.year:<4}    {country}     {form}     000 1 {book.language} d"


def nonfiling(book: Book) -> str:
    for article in ARTICLES.get(book.language, ()):
        if book.title.startswith(article):
            return str(len(article))
    return "0"


def described(book: Book, electronic: bool) -> list[Field]:
    """The descriptive fields, without control numbers; vernacular forms in 880, linked with $6."""
    out: list[Field] = [Field("008", data=fixed_field(book, electronic))]
    if book.isbn:  # it is the printed book's; the record of an e-book has it in $z
        out.append(data_field("020", "  ", "z" if electronic else "a", book.isbn))
    agency = VENDOR if electronic else UNION
    out.append(data_field("040", "  ", "a", agency, "b", "eng", "e", "rda", "c", agency))
    pairs: list[Field] = []
    name = ("a", book.author + ("," if book.dates else "."), "d", book.dates + ("" if book.dates[-1:] == "-" else "."))
    out.append(_linked("100", f"{int(',' in book.author)} ", book.vernacular_author, pairs, *name))
    title, _, rest = book.title.partition(" : ")
    author = " ".join(reversed(book.author.split(", ")))
    statement = ("a", f"{title} :" if rest else f"{title} /", "b", f"{rest} /" if rest else "", "c", f"{author}.")
    out.append(_linked("245", f"1{nonfiling(book)}", book.vernacular_title, pairs, *statement))
    place, publisher = f"{book.place} :", f"{book.publisher},"
    out.append(data_field("264", " 1", "a", place, "b", publisher, "c", f"{book.year}."))
    pages = f"{book.pages} pages" if book.pages else ""
    if electronic:
        out.append(data_field("300", "  ", "a", f"1 online resource ({pages})" if pages else "1 online resource"))
    else:
        out.append(data_field("300", "  ", "a", f"{pages or '1 volume'} ;", "c", "20 cm"))
    out.append(data_field("336", "  ", "a", "text", "b", "txt", "2", "rdacontent"))
    media = ("computer", "c", "online resource", "cr") if electronic else ("unmediated", "n", "volume", "nc")
    out.append(data_field("337", "  ", "a", media[0], "b", media[1], "2", "rdamedia"))
    out.append(data_field("338", "  ", "a", media[2], "b", media[3], "2", "rdacarrier"))
    out.append(_subject(book))
    if electronic:
        address = f"https://ebooks.example.org/{book.vendor_number}"
        out.append(data_field("856", "40", "u", address, "z", "Read online"))
    return out + pairs


def _linked(tag: str, indicators: str, vernacular: str, pairs: list[Field], *given: str) -> Field:
    if not vernacular:
        return data_field(tag, indicators, *given)
    code, orientation = script_of(vernacular)
    number = f"{len(pairs) + 1:02d}"
    pairs.append(data_field("880", indicators, "6", f"{tag}-{number}/{code}{orientation}", "a", vernacular))
    return data_field(tag, indicators, "6", f"880-{number}", *given)


def _subject(book: Book) -> Field:
    first, *rest = book.subject.split(" -- ")
    parts = ["a", first]
    for part in rest:
        form = part in ("Fiction", "Juvenile fiction", "Drama", "Poetry", "Biography", "Humor", "Librettos")
        code = "v" if form else "y" if part[:1].isdigit() or "century" in part else "x"
        parts += [code, part]
    parts[-1] += "" if parts[-1].endswith((".", ")", "-")) else "."
    return data_field("650", " 0", *parts)


def assembled(fields: list[Field], status: str = "n", encoding: str = "a") -> Record:
    record = Record(to_unicode=encoding == "a")  # else pymarc writes UTF-8 whatever the leader says
    record.leader = Leader(f"00000{status}am {encoding}2200000 i 4500")
    for field in sorted(fields, key=lambda field: field.tag):
        record.add_field(field)
    return record


def numbered(number: str, agency: str, changed: str) -> list[Field]:
    return [Field("001", data=number), Field("003", data=agency), Field("005", data=changed)]


def vendor_record(book: Book, changed: str = NEW, status: str = "n", more: tuple[Field, ...] = ()) -> Record:
    """As the e-book vendor sends it, in UTF-8."""
    fields = [*numbered(book.vendor_number, VENDOR, changed), *described(book, electronic=True), *more]
    return assembled(fields, status)


def union_record(book: Book, changed: str = NEW) -> Record:
    """As the consortium has it; `as_marc8` writes it."""
    return assembled([*numbered(book.union_number, UNION, changed), *described(book, electronic=False)], encoding=" ")


def as_marc8(record: Record) -> bytes:
    """ISO 2709 in MARC-8, with 066 where alternate sets are used.

    pymarc writes what is not UTF-8 as Latin-1: so the MARC-8 bytes go in as the characters with the same numbers.
    """
    sets = sorted(
        {name for field in record.fields for text in _texts(field) for name in marc8.sets_of(text)}, reverse=True
    )
    fields = list(record.fields)
    if sets:
        fields.append(Field("066", Indicators(" ", " "), [Subfield("c", name) for name in sets]))
    coded = [_in_marc8(field) for field in fields]
    data: bytes = assembled(coded, encoding=" ").as_marc()
    return data


def _texts(field: Field) -> list[str]:
    return [field.data or ""] if field.is_control_field() else [subfield.value for subfield in field.subfields]


def _in_marc8(field: Field) -> Field:
    if field.is_control_field():
        return Field(field.tag, data=field.data)
    return Field(
        field.tag,
        field.indicators,
        [Subfield(s.code, marc8.encode(s.value).decode("latin-1")) for s in field.subfields],
    )


def as_content(record: Record) -> dict[str, Any]:
    """MARC-in-JSON. Lengths in the leader are zero, as FOLIO leaves them."""
    fields: list[dict[str, Any]] = []
    for field in record.fields:
        if field.is_control_field():
            fields.append({field.tag: field.data})
        else:
            first, second = field.indicators or (" ", " ")
            listed = [{subfield.code: subfield.value} for subfield in field.subfields]
            fields.append({field.tag: {"ind1": first, "ind2": second, "subfields": listed}})
    return {"leader": str(record.leader), "fields": fields}
