"""What makes a record unreadable: code, rule (with the section of the standard) and what would mend it.

MARC 21 Specifications for Record Structure, Character Sets, and Exchange Media (loc.gov/marc/specifications) and
ISO 2709:2008 are the rules.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from holdfast.outcomes import Rejection, scrub


class Fault(NamedTuple):
    rule: str
    hint: str


FAULTS: dict[str, Fault] = {
    "marc.empty_file": Fault(
        "a drop holds at least one record",
        "ask the vendor to send the file again; an empty file usually means that an export failed",
    ),
    "marc.not_marc": Fault(
        "ISO 2709 §4.3: a record starts with a leader of 24 characters, its length in the first five",
        "check that the file is binary MARC (ISO 2709), or else MARCXML, MARC-in-JSON or BIBFRAME, and not text or a table; "
        "export it again as .mrc",
    ),
    "marc.truncated": Fault(
        "ISO 2709 §4.4: a record ends with the record terminator 0x1D",
        "the file ends in the middle of a record: the transfer was cut; fetch the file again and compare its size",
    ),
    "marc.too_long": Fault(
        "ISO 2709 §4.3.1: a record has 99,999 bytes at most",
        "no record terminator came for so long that this can't be a record; export it again, split or as MARCXML",
    ),
    "marc.length": Fault(
        "ISO 2709 §4.3.1: leader/00-04 is the length of the record",
        "the leader names another length than the record has, mostly after an edit as text or a character conversion; "
        "have the vendor export again, or rebuild the record with MarcEdit or `pymarc`",
    ),
    "marc.base_address": Fault(
        "ISO 2709 §4.3.6: leader/12-16 is the place of the first field, right after the directory's field terminator",
        "the directory's end is not where the leader says; have the vendor export the record again",
    ),
    "marc.directory": Fault(
        "ISO 2709 §4.4: each directory entry names tag, length and start of one field that ends with 0x1E",
        "the directory does not fit the fields, mostly after an edit as text or a character conversion; "
        "have the vendor export the record again",
    ),
    "marc.uncovered": Fault(
        "ISO 2709 §4.4: every field has an entry in the directory",
        "there are bytes that no directory entry names; reading on would lose them: have the record exported again",
    ),
    "marc.indicators": Fault(
        "MARC 21 Record Structure, variable data fields: two indicators, then the first subfield delimiter 0x1F",
        "give the field its two indicators (blanks at least) and export the record again",
    ),
    "marc.subfield_code": Fault(
        "MARC 21 Record Structure: a subfield code is one ASCII graphic character",
        "a delimiter 0x1F stands in front of something that is no code, mostly text cut by a bad conversion; mend the field",
    ),
    "marc.tag": Fault(
        "MARC 21 Record Structure: a field has a tag of three ASCII characters; 00X are control fields, the others data fields",
        "give the field its tag and export the record again",
    ),
    "marc.leader": Fault(
        "MARC 21 Record Structure, leader: a record has one leader, of 24 ASCII characters",
        "give the record its leader; in MARCXML mind the blanks, which editors and programs like to strip",
    ),
    "marc.control_character": Fault(
        "MARC 21 Record Structure: a value holds no delimiter, terminator or other control character",
        "take the control character out of the value; the field is in the place",
    ),
    "marc.xml_not_well_formed": Fault(
        "XML 1.0 §2.1: a document is well formed; from the first error on nothing in it is sure",
        "what stands before the byte was read; mend the place (mostly a cut transfer, a bare & or a byte that is not in the "
        "declared encoding) and send the file again",
    ),
    "marc.xml_doctype": Fault(
        "MARCXML and RDF/XML need no document type declaration; entities can read files and fill memory, so none is accepted",
        "take the <!DOCTYPE …> out and write the entities as the characters that they stand for",
    ),
    "marc.xml_structure": Fault(
        "MARCXML (MARC21slim.xsd): record holds leader, controlfield and datafield, a datafield holds subfield, and only "
        "leader, controlfield and subfield hold text",
        "an element or text stands where the schema has none; reading on would lose it: have the record exported again",
    ),
    "marc.json": Fault(
        "RFC 8259: a file of MARC-in-JSON is an array of objects, one object, or an object a line",
        "the text is not JSON at the byte; export it again, and mind that the transfer was whole",
    ),
    "marc.json_structure": Fault(
        "MARC-in-JSON: a record has a leader and fields; a field is one tag with a text or with ind1, ind2 and subfields",
        "the object is no MARC-in-JSON record; export it again, with pymarc or yaz-marcdump -o json",
    ),
    "marc.no_record": Fault(
        "a drop holds at least one record",
        "the file is whole but has no MARC record in it: look whether it is an error page, an empty export or another format",
    ),
    "bibframe.rdf": Fault(
        "RDF 1.1 XML Syntax, JSON-LD 1.1: the document is a graph",
        "the text is well-formed XML or JSON but no RDF; look whether it is another format, and export it again",
    ),
    "bibframe.no_instance": Fault(
        "a record is made of a bf:Instance that has a title or a Work",
        "the graph has Works, Hubs or Items only; export the Instances with them",
    ),
    "bibframe.remote_context": Fault(
        "nothing is fetched while a file is read: the @context is in the document",
        "write the context out in the document (`@context`: an object), as the exporting program can",
    ),
    "bibframe.too_large": Fault(
        "a graph is read whole, so it has 16,000,000 bytes at most",
        "split the export: RDF/XML into several files, JSON-LD into one document a line",
    ),
    "marc.packing": Fault(
        "RFC 1952, RFC 8878, APPNOTE: packed data can be unpacked to its end and agrees with its checksum",
        "what could be unpacked was read; the transfer was cut or the archive damaged: fetch it again and compare its size",
    ),
    "marc.encrypted": Fault(
        "an archive is not encrypted, for nothing here has its password",
        "ask the vendor to send it without a password, over an encrypted connection",
    ),
    "marc.bomb": Fault(
        "packed data becomes 250 times as large at most; catalogue data becomes ten to fifty times as large",
        "the file is an attack or holds almost nothing; unpack it apart, look at it, and load it unpacked",
    ),
    "marc.packed_too_deep": Fault(
        "archives lie in each other three deep at most",
        "unpack the outer archives and send what is in them",
    ),
    "marc.masked_too_long": Fault(
        "ISO 2709 §4.3.1 and §4.4: with its masked values replaced, too, a record has 99,999 bytes and a field 9,999 at most",
        "masked values are replaced by tokens of 68 characters, and the record has no room for them; take the fields with "
        "so many private values out of the record, or load them apart",
    ),
    "marc.encoding": Fault(
        "MARC 21 Specifications, character sets: leader/09 'a' is UTF-8, blank is MARC-8",
        "the bytes are not in the encoding that the record declares; have it exported in UTF-8, or convert it knowing the "
        "encoding that it really has (the candidates are in the place)",
    ),
    "marc.encoding_mixed": Fault(
        "MARC 21 Specifications, character sets: a record is in one encoding, which leader/09 names",
        "some values of the record are UTF-8 and others are not, mostly after a copy from another system; have the record "
        "exported again, or mend the value that is named",
    ),
    "marc.encoding_lossy": Fault(
        "a character conversion is used only if it can be undone to the very same bytes",
        "the record uses two codes of East Asian MARC-8 that Unicode has one character for; have it exported in UTF-8",
    ),
}


def rejection_of(row: dict[str, Any], file: str, data: bytes = b"", correlation_id: str = "") -> Rejection:
    """The quarantine entry of an unreadable record: `row` has the shape of `frames.RECORDS`, `data` are its bytes."""
    fault = FAULTS[row["fault"]]
    place = f"{file} record {row['record']} byte {row['fault_byte']}"
    if row["fault_detail"]:
        place += f": {row['fault_detail']}"
    return Rejection(
        code=row["fault"],
        place=place,
        rule=fault.rule,
        hint=fault.hint,
        unit="file" if row["fault"] in ("marc.empty_file",) else "record",
        correlation_id=correlation_id,
        sha256=row["sha256"],
        preview=scrub(data),
    )
