"""Facts of a record as columns: control fields, identifiers, titles, keys, fingerprint."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import polars as pl
import stdnum.exceptions
from stdnum import isbn, issn

from holdfast.identity import correlation_id, fingerprint

# The code of this module: a change of what it makes is a change of this number (assets carry it as their code_version).
VERSION = "1"

_COLUMNS: dict[str, pl.DataType | type[pl.DataType]] = {
    "record": pl.UInt32,
    "file": pl.String,
    "correlation_id": pl.String,
    "fingerprint": pl.String,  # hex, of control number and 005 (else the content's hash)
    "content_sha256": pl.String,  # hex, of the record's bytes as received
    "control_number": pl.String,  # 001, stripped
    "control_number_org": pl.String,  # 003
    "system_numbers": pl.List(pl.String),  # 035 $a as they stand
    "last_modified": pl.String,  # 005
    "leader": pl.String,
    "status": pl.String,  # leader/05
    "material_type": pl.String,  # by leader/06-07, in words
    "encoding": pl.String,
    "ocn": pl.List(pl.String),  # digits without prefix and leading zeros
    "isbn": pl.List(pl.String),  # ISBN-13 whose check digit is right
    "issn": pl.List(pl.String),  # eight characters, check digit right
    "lccn": pl.List(pl.String),  # normalized as the Library of Congress's LCCN namespace says
    "language": pl.String,  # 008/35-37
    "year": pl.Int32,  # 008/07-10 where it is a year
    "title": pl.String,  # 245 $a $b $n $p
    "title_key": pl.String,
    "author": pl.String,  # 100, 110 or 111 $a
    "author_key": pl.String,
    "fields": pl.UInt32,
    "masked_values": pl.UInt32,
}
NORMALIZED = pl.Schema(_COLUMNS)

_MATERIAL = {
    "a": "book", "t": "manuscript", "c": "music score", "d": "music manuscript", "e": "map", "f": "map manuscript",
    "g": "video", "i": "spoken recording", "j": "music recording", "k": "picture", "m": "electronic resource",
    "o": "kit", "p": "mixed materials", "r": "object", "u": "holdings", "v": "holdings", "x": "holdings", "y": "holdings",
    "z": "authority",
}  # fmt: skip


@lru_cache(maxsize=65536)
def normalize_isbn(value: str) -> str | None:
    """ISBN-13 of 020 $a ('0-306-40615-2 (pbk.)'), None where the check digit is wrong. ISO 2108:2017."""
    number = value.strip().split(" ")[0].split("(")[0]
    try:
        return str(isbn.compact(number, convert=True)) if isbn.is_valid(number) else None
    except stdnum.exceptions.ValidationError:
        return None


@lru_cache(maxsize=65536)
def normalize_issn(value: str) -> str | None:
    """Eight characters of 022 $a, None where the check digit is wrong. ISO 3297:2022."""
    number = value.strip().split(" ")[0]
    return str(issn.compact(number)) if issn.is_valid(number) else None


@lru_cache(maxsize=65536)
def normalize_lccn(value: str) -> str | None:
    """LCCN as the Library of Congress normalizes it (loc.gov/marc/lccn-namespace): no blanks, serial of six digits."""
    text = value.replace(" ", "").split("/")[0]
    if "-" in text:
        prefix, _, serial = text.partition("-")
        text = prefix + serial.zfill(6)
    return text.lower() or None


def normalize_ocn(text: pl.Expr) -> pl.Expr:
    """Digits of '(OCoLC)ocm00012345'; null where it is no OCN."""
    return text.str.strip_chars().str.extract(r"^\(OCoLC\)\s*(?:ocm|ocn|on)?\s*0*(\d+)\s*$", 1)


def heading_key(text: pl.Expr) -> pl.Expr:
    """Comparison form of a heading: letters and digits, without marks and case, words apart by one blank.

    NACO Authority File Comparison Rules, in short: diacritics off, punctuation to blanks, case folded.
    """
    plain = text.str.normalize("NFKD").str.replace_all(r"\p{M}", "").str.to_lowercase()
    return plain.str.replace_all(r"['’ʻʼʹ\[\]]", "").str.replace_all(r"[^\p{L}\p{N}]+", " ").str.strip_chars()


def _first(subfields: pl.LazyFrame, where: pl.Expr, name: str) -> pl.LazyFrame:
    return subfields.filter(where).group_by("record").agg(pl.col("value").first().alias(name))


def _list(subfields: pl.LazyFrame, where: pl.Expr, value: pl.Expr, name: str) -> pl.LazyFrame:
    chosen = subfields.filter(where).select("record", value.alias(name)).drop_nulls()
    return chosen.group_by("record").agg(pl.col(name).unique(maintain_order=True))


def _mapped(function: Callable[[str], str | None]) -> pl.Expr:
    return pl.col("value").map_elements(function, return_dtype=pl.String, skip_nulls=True)


def normalize(index: pl.DataFrame, subfields: pl.DataFrame, *, source: str, window: str) -> pl.DataFrame:
    """A row a readable record, in the shape of NORMALIZED.

    Args:
        index: shape of `harvest.INDEX`; rows with a fault are left out.
        subfields: shape of `frames.SUBFIELDS`, of the same records.
        source: name of the source.
        window: what the source's records are numbered in: the day of the partition.
    """
    sub = subfields.lazy()
    tag, code = pl.col("tag"), pl.col("code")
    fixed = _first(sub, tag == "008", "f008")
    ocn_001 = sub.filter(tag == "001").select(
        "record", pl.col("value").str.extract(r"^(?:ocm|ocn|on)0*(\d+)\s*$", 1).alias("ocn")
    )
    ocn = pl.concat(
        [
            sub.filter((tag == "035") & (code == "a")).select("record", normalize_ocn(pl.col("value")).alias("ocn")),
            ocn_001,
        ]
    ).drop_nulls()
    title = (
        sub.filter((tag == "245") & code.is_in(["a", "b", "n", "p"]))
        .group_by("record", maintain_order=True)
        .agg(pl.col("value").str.join(" ").alias("title"))
    )
    parts = [
        _first(sub, tag == "001", "control_number"),
        _first(sub, tag == "003", "control_number_org"),
        _first(sub, tag == "005", "last_modified"),
        fixed,
        _list(sub, (tag == "035") & (code == "a"), pl.col("value").str.strip_chars(), "system_numbers"),
        ocn.group_by("record").agg(pl.col("ocn").unique(maintain_order=True)),
        _list(sub, (tag == "020") & (code == "a"), _mapped(normalize_isbn), "isbn"),
        _list(sub, (tag == "022") & (code == "a"), _mapped(normalize_issn), "issn"),
        _list(sub, (tag == "010") & (code == "a"), _mapped(normalize_lccn), "lccn"),
        title,
        _first(sub, tag.is_in(["100", "110", "111"]) & (code == "a"), "author"),
        sub.group_by("record").agg(pl.col("field").n_unique().cast(pl.UInt32).alias("fields")),
    ]
    records = (
        index.lazy()
        .filter(pl.col("fault").is_null())
        .select("record", "file", "leader", "encoding", "sha256", "masked_values")
    )
    for part in parts:
        records = records.join(part, on="record", how="left", maintain_order="left")
    frame = records.with_columns(
        pl.col("control_number", "control_number_org", "last_modified").str.strip_chars().fill_null(""),
        pl.col("sha256").alias("content_sha256"),
        pl.col("leader").str.slice(5, 1).alias("status"),
        pl.when(pl.col("leader").str.slice(7, 1).is_in(["b", "i", "s"]) & (pl.col("leader").str.slice(6, 1) == "a"))
        .then(pl.lit("serial"))
        .otherwise(pl.col("leader").str.slice(6, 1).replace_strict(_MATERIAL, default="other"))
        .alias("material_type"),
        pl.col("f008").str.slice(35, 3).alias("language"),
        pl.col("f008").str.slice(7, 4).str.extract(r"^(\d{4})$", 1).cast(pl.Int32, strict=False).alias("year"),
        pl.col("title", "author").str.strip_chars(" /:;,.="),
        heading_key(pl.col("title")).fill_null("").alias("title_key"),
        heading_key(pl.col("author")).fill_null("").alias("author_key"),
        pl.col("fields").fill_null(0),
        pl.col("ocn", "isbn", "issn", "lccn", "system_numbers").fill_null([]),
    ).collect()
    identities = [
        _identity(source, window, *row)
        for row in frame.select(
            "record", "control_number_org", "control_number", "last_modified", "content_sha256"
        ).iter_rows()
    ]
    return frame.with_columns(
        pl.Series("fingerprint", [each[0] for each in identities], dtype=pl.String),
        pl.Series("correlation_id", [each[1] for each in identities], dtype=pl.String),
    ).select([pl.col(name).cast(dtype) for name, dtype in NORMALIZED.items()])


def _identity(
    source: str, window: str, record: int, org: str, number: str, modified: str, content: str
) -> tuple[str, str]:
    print_of_record = fingerprint(f"({org}){number}", modified or content)
    return print_of_record, correlation_id(source, window, record, print_of_record)
