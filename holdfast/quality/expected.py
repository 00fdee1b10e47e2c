"""Which fields a record is expected to have, by its type of material.

Fields of the BIBCO and CONSER standard records (loc.gov/aba/pcc) and of the MARC 21 national level full record
(loc.gov/marc/bibliographic/nlr), as far as a machine can tell that a record should have them; UNIMARC by the fields of the same
meaning (IFLA, UNIMARC Bibliographic 3rd ed.).
"""

from __future__ import annotations

from typing import NamedTuple


class Expected(NamedTuple):
    """A field or subfield that matters.

    Attributes:
        name: stable: figures and metadata go by it.
        label: for people.
        place: the field as cataloguers write it.
        tags: any of these will do.
        codes: subfields of which one is enough; empty: the field itself, or a control field.
        form: regular expression that a value has; empty: any that is not blank.
        not_form: regular expression that it has not.
        materials: types of material (normalize.py) that should have it; empty: all bibliographic ones.
    """

    name: str
    label: str
    place: str
    tags: tuple[str, ...]
    codes: str = ""
    form: str = ""
    not_form: str = ""
    materials: frozenset[str] = frozenset()

    def holds_for(self, material: str) -> bool:
        return material in self.materials if self.materials else material not in OTHER_FORMATS


OTHER_FORMATS = frozenset({"authority", "holdings"})

_BOOKS = frozenset({"book", "manuscript"})
_SERIALS = frozenset({"serial"})
_MUSIC = frozenset({"music score", "music recording", "music manuscript"})
_RECORDED = frozenset({"music recording", "spoken recording", "video"})
_MAPS = frozenset({"map", "map manuscript"})
_NUMBERED = frozenset({"book", "spoken recording", "kit"})
_SUBJECTS = ("600", "610", "611", "630", "647", "648", "650", "651", "653")
_AUTHORITY, _HOLDINGS = frozenset({"authority"}), frozenset({"holdings"})

MARC21 = (
    Expected("control_number", "Control number", "001", ("001",)),
    Expected("control_number_org", "Whose control number", "003", ("003",)),
    Expected("last_change", "Date of last change", "005", ("005",)),
    Expected("cataloging_source", "Cataloguing agency", "040 $a", ("040",), "a"),
    Expected("oclc_number", "OCLC number", "035 $a (OCoLC)", ("035",), "a", form=r"^\s*\(OCoLC\)"),
    Expected("isbn", "ISBN", "020 $a", ("020",), "a", materials=_NUMBERED),
    Expected("issn", "ISSN", "022 $a", ("022",), "a", materials=_SERIALS),
    Expected("publisher_number", "Publisher's number or UPC", "024/028 $a", ("024", "028"), "a", materials=_MUSIC | _RECORDED),
    Expected("language", "Language code", "008/35-37", ("008",), form=r"^.{35}[a-z]{3}", not_form=r"^.{35}und"),
    Expected("country", "Country code", "008/15-17", ("008",), form=r"^.{15}[a-z]{2}", not_form=r"^.{15}xx[ #|]"),
    Expected("fixed_date", "Year, coded", "008/07-10", ("008",), form=r"^.{7}[12][0-9]{3}"),
    Expected("classification", "Classification", "050–090 $a", ("050", "055", "060", "070", "080", "082", "083", "084", "086", "090", "092"), "a"),
    Expected("creator", "Author or contributor", "1XX, 7XX $a", ("100", "110", "111", "700", "710", "711", "720"), "a"),
    Expected("title", "Title", "245 $a", ("245",), "ak"),
    Expected("responsibility", "Statement of responsibility", "245 $c", ("245",), "c"),
    Expected("publisher", "Publisher", "260/264 $b", ("260", "264"), "b"),
    Expected("publication_place", "Place of publication", "260/264 $a", ("260", "264"), "a"),
    Expected("publication_date", "Date of publication", "260/264 $c", ("260", "264"), "cg"),
    Expected("extent", "Extent", "300 $a", ("300",), "a"),
    Expected("content_type", "Content type (RDA)", "336 $a $b", ("336",), "ab"),
    Expected("media_type", "Media type (RDA)", "337 $a $b", ("337",), "ab"),
    Expected("carrier_type", "Carrier type (RDA)", "338 $a $b", ("338",), "ab"),
    Expected("subject", "Subject heading", "600–653 $a", _SUBJECTS, "a"),
    Expected("genre", "Genre or form", "655 $a", ("655",), "a"),
    Expected("summary", "Summary or contents", "505/520 $a", ("505", "520"), "ag"),
    Expected("link", "Link to the resource", "856 $u", ("856",), "u"),
    Expected("frequency", "Frequency", "310 $a", ("310",), "a", materials=_SERIALS),
    Expected("numbering", "Dates and numbering", "362 $a", ("362",), "a", materials=_SERIALS),
    Expected("key_title", "Key title", "222 $a", ("222",), "a", materials=_SERIALS),
    Expected("scale", "Scale", "034 or 255 $a", ("034", "255"), "a", materials=_MAPS),
    Expected("physical_description", "Physical description, coded", "007", ("007",), materials=_RECORDED | _MAPS | {"electronic resource"}),
    Expected("uniform_title", "Uniform title", "130/240 $a", ("130", "240"), "a", materials=_MUSIC),
    Expected("authorized_heading", "Heading", "1XX $a", ("100", "110", "111", "130", "147", "148", "150", "151", "155", "162"), "a", materials=_AUTHORITY),
    Expected("source_found", "Source of the data", "670 $a", ("670",), "a", materials=_AUTHORITY),
    Expected("of_record", "Number of the bibliographic record", "004 or 014 $a", ("004", "014"), "", materials=_HOLDINGS),
    Expected("location", "Location", "852 $a $b", ("852",), "ab", materials=_HOLDINGS),
    Expected("textual_holdings", "Holdings statement", "863–868 $a", ("863", "864", "865", "866", "867", "868"), "a", materials=_HOLDINGS),
)  # fmt: skip

UNIMARC = (
    Expected("control_number", "Control number", "001", ("001",)),
    Expected("last_change", "Date of last change", "005", ("005",)),
    Expected("cataloging_source", "Originating source", "801 $b", ("801",), "b"),
    Expected("isbn", "ISBN", "010 $a", ("010",), "a", materials=_NUMBERED),
    Expected("issn", "ISSN", "011 $a", ("011",), "a", materials=_SERIALS),
    Expected("language", "Language", "101 $a", ("101",), "a", not_form=r"^und$"),
    Expected("country", "Country", "102 $a", ("102",), "a", not_form=r"^XX$"),
    Expected("fixed_date", "Year, coded", "100 $a/09-12", ("100",), "a", form=r"^.{9}[12][0-9]{3}"),
    Expected("classification", "Classification", "675–686 $a", ("675", "676", "680", "686"), "a"),
    Expected("creator", "Author or contributor", "700–712 $a", ("700", "701", "702", "710", "711", "712"), "a"),
    Expected("title", "Title", "200 $a", ("200",), "a"),
    Expected("responsibility", "Statement of responsibility", "200 $f", ("200",), "f"),
    Expected("publisher", "Publisher", "210/214 $c", ("210", "214"), "c"),
    Expected("publication_place", "Place of publication", "210/214 $a", ("210", "214"), "a"),
    Expected("publication_date", "Date of publication", "210/214 $d", ("210", "214"), "d"),
    Expected("extent", "Extent", "215 $a", ("215",), "a"),
    Expected("subject", "Subject heading", "600–610 $a", ("600", "601", "602", "604", "605", "606", "607", "610"), "a"),
    Expected("summary", "Summary or contents", "327/330 $a", ("327", "330"), "a"),
    Expected("link", "Link to the resource", "856 $u", ("856",), "u"),
)

# Plotted over the partitions, here and in Dagster: both formats have them.
FOLLOWED = ("isbn", "language", "classification", "creator", "publication_date", "extent", "subject", "summary")


def expected_of(dialect: str) -> tuple[Expected, ...]:
    """`dialect`: 'marc21' or 'unimarc'."""
    return UNIMARC if dialect == "unimarc" else MARC21
