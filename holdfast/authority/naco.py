"""The comparison form of headings, by the NACO rules.

Source: Authority File Comparison Rules (NACO normalization), PCC, revised 1 April 2009, Appendix A
(loc.gov/aba/pcc/naco/normrule-2.html), and the report behind them, which states the table as rules over Unicode's general
categories (PCC Task Group on Normalization, 2007).

    decompose                 NFKD: é → e + mark, ² → 2, ﬁ → fi, ℓ → l
    delete                    marks (Mn Mc Me), controls, formats, private use (Cc Cf Co), modifier letters (Lm: ayn, alif, the
                              primes of the soft and the hard sign), apostrophe, square brackets
    upper case                ß → SS, ı → I
    put in place              Æ → AE, Œ → OE, Đ and Ð → D, Ł → L, Ø → O, Þ → TH
    keep                      letters, digits, # & + @ ♭ ♯ and currency signs; in $a the first comma, unless it is the last character
    make blank                all other punctuation, symbols and separators; blanks are one, and none at the ends
    digits                    decimal digits of any script → 0-9

Two things are added: typographic apostrophes (’ ‘ ‛) count as apostrophes, as in MARC-8 records they are; and what stands between
U+0098 and U+009C (non-sorting characters, MARC 21 since 2004) is left out.
"""

from __future__ import annotations

import sys
import unicodedata

import polars as pl

VERSION = "1"

_LETTERS = {"Æ": "AE", "Œ": "OE", "Đ": "D", "Ð": "D", "Ł": "L", "Ø": "O", "Þ": "TH"}
_DIGITS = {
    chr(point): str(unicodedata.decimal(chr(point)))
    for point in range(0x80, sys.maxunicode + 1)
    if unicodedata.category(chr(point)) == "Nd"
}
_COMMA = "\ue000"  # stands for the comma that is kept; private use is deleted before
_KEPT = "#&+@♭♯"


def naco(text: pl.Expr, *, first_comma: bool | pl.Expr = False) -> pl.Expr:
    """Comparison form of values of subfields. A null stays null.

    Args:
        first_comma: the first comma is kept: so it is in $a of every heading, and nowhere else.
    """
    plain = (
        text.str.replace_all("\u0098[^\u009c]*\u009c", "")
        .str.normalize("NFKD")
        .str.replace_all(r"[\p{M}\p{Lm}\p{Cc}\p{Cf}\p{Co}'’‘‛\[\]]", "")
        .str.to_uppercase()
        .str.replace_many(_LETTERS)
        .str.replace_all(r"[\p{Z}\s]+", " ")
        .str.strip_chars(" ")
    )
    with_comma = plain.str.replace(r",(.)", _COMMA + "${1}")
    # A comma at the end is punctuation between subfields; only the first of all can be kept.
    ends = plain.str.find(",", literal=True) == plain.str.len_bytes() - 1
    keep = pl.lit(first_comma) if isinstance(first_comma, bool) else first_comma
    chosen = pl.when(keep & ~ends.fill_null(True)).then(with_comma).otherwise(plain)
    return (
        chosen.str.replace_all(rf"[\p{{P}}\p{{S}}\p{{Z}}--[{_KEPT}\p{{Sc}}]]+", " ")
        .str.replace_many(_DIGITS)
        .str.replace_all(rf" *{_COMMA} *", ", ")
        .str.replace_all(" +", " ")
        .str.strip_chars(" ,")
    )


def naco_values(values: pl.DataFrame) -> pl.DataFrame:
    """`values` (columns code, value, and others) with `naco`; each distinct value is looked at once."""
    distinct = values.select("code", "value").unique()
    keys = distinct.with_columns(naco(pl.col("value"), first_comma=pl.col("code") == "a").alias("naco"))
    return values.join(keys, on=["code", "value"], how="left", maintain_order="left", nulls_equal=True)
