"""What validation finds: every kind of issue with its severity, rule and what would mend it, in one table.

MARC 21 (loc.gov/marc/bibliographic, /authority, /holdings) is the rule where no other source is named; what a schema or
`holdfast.toml` says goes by the schema's or the rule's name in the column `rule` of the issue.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

import polars as pl

Severity = Literal["error", "warning", "info"]
SEVERITIES: tuple[str, ...] = get_args(Severity)

ISSUES = pl.Schema(
    {
        "record": pl.UInt32,
        "code": pl.String,  # of KINDS, or `local.` and the name of a rule of holdfast.toml
        "severity": pl.String,  # 'error', 'warning' or 'info'
        "tag": pl.String,  # 'LDR' for the leader
        "field": pl.UInt16,  # in the directory's order, from 0; null: the leader, or a field that is missing
        "occurrence": pl.UInt16,  # which of the record's fields with this tag, from 1; null as above
        "subfield": pl.String,  # code; null: the field or the record as a whole
        "position": pl.UInt32,  # character in the value, from 0; null: the value as a whole
        "value": pl.String,  # what was found: 80 characters, masked values as 'pii:…'
        "rule": pl.String,  # whose rule: schema, section, or rule of holdfast.toml
        "message": pl.String,  # in words
        "hint": pl.String,  # what would mend it
    }
)


class Kind(NamedTuple):
    severity: str
    what: str
    rule: str
    hint: str


LOCAL = "local."  # prefix of the codes of local rules

KINDS: dict[str, Kind] = {
    # ---- the record
    "record.no_schema": Kind(
        "info",
        "leader/06 names a kind of record that no schema describes",
        "leader/06",
        "nothing but its encoding was looked at; correct leader/06 if it is a bibliographic, authority or holdings record",
    ),
    # ---- fields
    "field.tag": Kind(
        "error",
        "a tag is not three digits (or, by the schema, letters)",
        "Record Structure: tags are three ASCII numeric characters",
        "the tag is local to another system; have it left out of the export",
    ),
    "field.undefined": Kind(
        "warning",
        "a field that the schema does not define, and that MARC 21 does not leave to libraries (9XX, X9X)",
        "schema",
        "correct the tag, or move the content to a field of 9XX or X9X",
    ),
    "field.obsolete": Kind("info", "a field that is obsolete", "schema", "move the content to the field that replaced it"),
    "field.repeated": Kind(
        "error", "a field that may not be repeated is", "schema", "keep one, or move the others to where repeats may be"
    ),
    "field.missing": Kind("error", "a required field is missing", "schema", "add the field"),
    "field.empty": Kind("warning", "a field without content", "a field has content, or it is left out", "take the field out"),
    # ---- indicators and subfields
    "indicator.undefined": Kind(
        "warning", "an indicator has a value that the schema does not define", "schema", "set one of the values defined"
    ),
    "indicator.obsolete": Kind("info", "an indicator has an obsolete value", "schema", "set the value in use today"),
    "subfield.undefined": Kind(
        "warning", "a subfield that the schema does not define", "schema", "correct the code, or move the content"
    ),
    "subfield.code": Kind(
        "error", "a delimiter without a code after it, or a code that is not one ASCII character",
        "Record Structure: a subfield code is one ASCII graphic character", "take the delimiter out, or add its code",
    ),
    "subfield.obsolete": Kind("info", "a subfield that is obsolete", "schema", "move the content to what replaced it"),
    "subfield.repeated": Kind(
        "warning", "a subfield that may not be repeated is", "schema", "keep one, or repeat the field instead"
    ),
    "subfield.missing": Kind("error", "a subfield that the schema requires is missing", "schema", "add the subfield"),
    "subfield.empty": Kind(
        "warning", "a subfield without content", "a subfield has content, or it is left out", "take the subfield out"
    ),
    "subfield.order": Kind(
        "warning",
        "$6 is not the first subfield, or subfields are not in the order that the schema gives",
        "Appendix A: $6 is always the first subfield; Avram: `order`",
        "move the subfield to its place",
    ),
    "subfield.pattern": Kind("warning", "a value is not in the form that the schema asks for", "schema", "correct the value"),
    # ---- values as characters
    "value.blank": Kind(
        "info",
        "a value begins or ends with a blank or a line break",
        "values have no leading or trailing blanks, except where they are positions",
        "take the blanks off; they make headings and identifiers differ that are the same",
    ),
    "value.control_character": Kind(
        "error",
        "a value has a control character, a tab or a line break",
        "Character Sets: control characters are delimiters and terminators, and the joiners and non-sorting marks",
        "take it out; it comes from text that was pasted in",
    ),
    "value.replacement_character": Kind(
        "error",
        "a value has U+FFFD: somebody decoded the text wrongly before it came here",
        "Character Sets: U+FFFD stands for a character that was lost",
        "restore the character from the item or an earlier version of the record; it can't be computed",
    ),
    # ---- fixed fields
    "fixed.length": Kind(
        "error", "a fixed field has not its length", "leader, 005, 006, 007 and 008: lengths of the fields",
        "fill the field up to its length, mostly with trailing blanks that an export has cut off",
    ),
    "fixed.code": Kind(
        "warning", "a position of a fixed field has a code that the schema does not define", "schema",
        "set one of the codes defined for the position and the type of material",
    ),
    "fixed.obsolete": Kind("info", "a position of a fixed field has an obsolete code", "schema", "set the code in use today"),
    "fixed.category": Kind(
        "error", "006/00 or 007/00 names a form or category that the schema does not have", "006/00 and 007/00",
        "set a defined form of material; the positions after it can't be read without it",
    ),
    # ---- dates
    "date.last_change": Kind(
        "warning", "005 is no date and time", "005: yyyymmddhhmmss.f (ISO 8601)", "leave it to the system to write 005"
    ),
    "date.entered": Kind("warning", "008/00-05 is no date", "008/00-05: yymmdd", "set the date that the record was made"),
    "date.publication": Kind(
        "warning",
        "008/07-14 is no date, or not what the type of date in 008/06 asks for",
        "008/06 and 008/07-14",
        "set four digits (u for unknown ones), and date 2 as the type of date in 008/06 asks",
    ),
    # ---- code lists
    "code.language": Kind(
        "warning", "not a code of the MARC list of languages", "MARC Code List for Languages", "look up the code"
    ),
    "code.country": Kind(
        "warning", "not a code of the MARC list of countries", "MARC Code List for Countries", "look up the code"
    ),
    "code.relator": Kind(
        "warning", "$4 is neither a code of the MARC list of relators nor a URI", "MARC Code List for Relators",
        "look up the code; a term goes to $e",
    ),
    "code.geographic": Kind(
        "warning", "not a code of the MARC list of geographic areas", "MARC Code List for Geographic Areas", "look up the code"
    ),
    "code.organization": Kind(
        "off", "not a MARC organization code or ISIL that the schema has", "MARC Code List for Organizations",
        "look up the code; the schema's list may be older than the organization",
    ),
    "code.source": Kind(
        "warning", "not a code of the list that the schema names", "Source Codes for Vocabularies, Rules, and Schemes",
        "look up the code; the schema's list may be older than the code",
    ),
    "code.obsolete": Kind("info", "a code that the list has as discontinued", "the code list", "set the code that replaced it"),
    "code.run_together": Kind(
        "info", "several language codes in one subfield of 041", "041: since 2001 each code has a subfield of its own",
        "repeat the subfield",
    ),
    # ---- identifiers
    "isbn.form": Kind(
        "warning", "not an ISBN: other characters, or another length", "ISO 2108", "move what is no number to $q, or to 024 or 028"
    ),
    "isbn.check_digit": Kind(
        "warning", "an ISBN with a wrong check digit", "ISO 2108", "correct it from the item; if it is printed so, it goes to $z"
    ),
    "issn.form": Kind("warning", "not an ISSN: eight characters, with a hyphen", "ISO 3297", "correct it from the item"),
    "issn.check_digit": Kind(
        "warning", "an ISSN with a wrong check digit", "ISO 3297", "correct it from the item; if it is printed so, it goes to $y"
    ),
    "lccn.form": Kind(
        "warning", "not an LCCN: prefix, year and serial number of six digits", "loc.gov/marc/lccn_structure",
        "restore the blanks of its positions; another agency's number goes to 016",
    ),
    "ocn.form": Kind("warning", "(OCoLC) is not followed by digits", "035: OCLC control numbers", "correct the number"),
    "standard_number.check_digit": Kind(
        "warning", "an ISMN, EAN or UPC with a wrong check digit", "ISO 10957 and the GS1 General Specifications",
        "correct it from the item; if it is printed so, it goes to $z",
    ),
    # ---- links
    "link.form": Kind(
        "warning", "$6 is not tag, occurrence number and script", "Appendix A: $6 [tag]-[occurrence]/[script]/[orientation]",
        "correct the subfield; systems that can't read it show neither field's partner",
    ),
    "link.script": Kind(
        "info", "$6 has a script code that MARC 21 does not define, or none after the slash",
        "Appendix A: $6, script identification code", "set the code of the script, or take the slash off",
    ),
    "link.absent": Kind(
        "error", "an 880 without $6: nobody knows what it belongs to", "880: $6 is always there",
        "add $6 with the tag and occurrence number of its partner, or 00",
    ),
    "link.no_880": Kind(
        "error", "a field points to an 880 that is not there", "Appendix A: linked fields come in pairs",
        "add the 880, or take $6 out of the field",
    ),
    "link.no_partner": Kind(
        "error", "an 880 points to a field that is not there", "Appendix A: linked fields come in pairs",
        "add $6 880-nn to the field it belongs to, or set the occurrence number 00",
    ),
    "link.tag": Kind(
        "error", "$6 names another tag than the partner has", "Appendix A: $6 names the partner's tag",
        "set the partner's tag; in a field that is no 880 it is always 880",
    ),
    "link.duplicate": Kind(
        "error", "two fields have the same occurrence number", "Appendix A: an occurrence number belongs to one pair",
        "number the pairs anew",
    ),
    "link.unlinked": Kind(
        "info", "an 880 that is linked to no field (occurrence number 00)", "Appendix A: 00 says that there is no partner",
        "add the romanized field, and link the two",
    ),
    "link.sequence": Kind(
        "warning", "$8 is not link number, sequence number and type", "Appendix A: $8 [link].[sequence]\\[type]", "correct it"
    ),
    "link.caption": Kind(
        "warning", "enumeration (863-865) without its caption (853-855)", "Holdings, 853-855 and 863-865: paired by $8",
        "add the caption field with the same link number",
    ),
    "link.entry": Kind(
        "warning", "a linking entry (76X-78X) names neither heading, title, number nor note of what it links to",
        "76X-78X: at least one of $a, $s, $t, $w, $x, $z and the like", "add the title or the control number",
    ),
    "link.control_number": Kind(
        "warning", "a control number in $w does not say whose it is", "76X-78X $w: the code of the organization in parentheses",
        "put the MARC organization code in parentheses before the number",
    ),
    "url.form": Kind(
        "warning", "856 $u or 857 $u is no URI: no scheme, no host, or blanks in it", "RFC 3986", "correct the address"
    ),
    # ---- what belongs together
    "heading.main_entry": Kind(
        "error", "more than one main entry (1XX)", "100-130: a record has one main entry at most",
        "keep one; the others are added entries (7XX)",
    ),
    "heading.missing": Kind(
        "error", "an authority record without a heading (1XX)", "Authority, 1XX: one heading a record", "add the heading"
    ),
    "title.nonfiling": Kind(
        "warning",
        "the indicator for nonfiling characters cuts into a word, or there is an article that it does not count",
        "245, second indicator: the article with what follows it up to the first word",
        "set the number of characters that filing skips, the blank included",
    ),
    "title.added_entry": Kind(
        "info", "245, first indicator: 1 without a main entry's name is asked for, 0 with one is odd",
        "245, first indicator: 0 if there is no 1XX", "set 1 where there is a 1XX, 0 where there is none",
    ),
    "publication.twice": Kind(
        "info", "260 and 264 _1 both say who published it", "264: separates what 260 runs together", "keep one of the two"
    ),
    "language.disagrees": Kind(
        "warning", "008/35-37 is not the first language of 041", "041 $a: the first code is that of 008/35-37",
        "make the two agree",
    ),
    "subject.source": Kind(
        "warning", "the indicator says that $2 names the source, and it is not there; or $2 is there and the indicator denies it",
        "second indicator 7: source specified in subfield $2", "add $2, or set the indicator to 7",
    ),
}  # fmt: skip


def message_of(code: str) -> str:
    return KINDS[code].what if code in KINDS else ""
