"""Facts of a record as columns: control fields, identifiers, titles, keys, fingerprint."""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import stdnum.exceptions
from stdnum import isbn, issn

from holdfast.identity import correlation_ids, fingerprints
from holdfast.marc.folding import Folding
from holdfast.marc.string_views import text_buffers

# The code of this module: a change of what it makes is a change of this number (assets carry it as their code_version).
VERSION = "2"

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
    "languages": pl.List(pl.String),  # 041 $a, $d and 008/35-37, each once
    "country": pl.String,  # 008/15-17, stripped
    "date_type": pl.String,  # 008/06
    "date1": pl.String,  # 008/07-10 as it stands
    "date2": pl.String,  # 008/11-14 as it stands
    "year": pl.Int32,  # 008/07-10 where it is a year
    "imprint_year": pl.Int32,  # the first year of 264 $c (of publication), else 260 $c
    "title": pl.String,  # 245 $a $b $n $p, in normalization form C
    "title_key": pl.String,
    "author": pl.String,  # 100, 110 or 111 $a, in normalization form C
    "author_key": pl.String,
    "work_key": pl.String,  # author_key, ' / ', key of 130 or 240 $a $n $p, else of 245 $a $n $p: equal for editions of a work
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
        text = prefix + serial.rjust(6, "0")
    return text.lower() or None


def normalize_ocn(text: pl.Expr) -> pl.Expr:
    """Digits of '(OCoLC)ocm00012345'; null where it is no OCN."""
    return text.str.strip_chars().str.extract(r"^\(OCoLC\)\s*(?:ocm|ocn|on)?\s*0*(\d+)\s*$", 1)


_LETTERS = {"Æ": "AE", "Œ": "OE", "Đ": "D", "Ð": "D", "Ł": "L", "Ø": "O", "Þ": "TH"}


def _key_of(character: str) -> str:
    """What stands for a character in a comparison form, by its Unicode category; blanks part words."""
    if character in "'’‘‛[]":
        return ""
    result = []
    for each in "".join(map(_upper, unicodedata.normalize("NFKD", character))):
        category = unicodedata.category(each)
        if category == "Nd":
            result.append(str(unicodedata.decimal(each)))
        elif category[0] in "PSZ" and category != "Sc" and each not in "#&+@♭♯":
            result.append(" " if each not in "'’‘‛[]" else "")
        else:
            result.append(each)
    return "".join(result).lower()


def _upper(character: str) -> str:
    if unicodedata.category(character) in ("Mn", "Mc", "Me", "Lm", "Cc", "Cf", "Co"):
        return ""
    upper = character.upper()
    return _LETTERS.get(upper, upper)


heading_keys = Folding(_key_of)


def heading_key(text: pl.Expr) -> pl.Expr:
    """Comparison form of a heading by the NACO rules, in lower case and without a comma kept.

    Source: Authority File Comparison Rules (NACO normalization), PCC 2009; `holdfast.authority.naco` has them with the first
    comma, for headings; the two agree (tests/holdfast/marc/test_normalize.py).
    """
    return text.map_batches(heading_keys, return_dtype=pl.String)


def isbns(values: pl.Series) -> pl.Series:
    """`normalize_isbn` of a column."""
    text = values.str.strip_chars().str.extract(r"^([^ (]*)", 1)
    plain = text.str.replace_all("-", "", literal=True).str.to_uppercase()
    short = pl.when(pl.col("n").str.len_chars() == 9).then(pl.lit("0") + pl.col("n")).otherwise("n")
    plain = plain.to_frame("n").select(short.alias("n"))["n"]
    frame = pl.DataFrame(
        {
            "value": values,
            "number": plain,
            "ten": plain.str.contains(r"^[0-9]{9}[0-9X]$"),
            "thirteen": plain.str.contains(r"^97[89][0-9]{10}$"),
            "odd": text.str.contains(r"[^\x21-\x7e]"),  # other dashes and blanks than these: stdnum knows them
        }
    )
    converted = np.full(len(values), None, dtype=object)
    for kind, width in (("ten", 10), ("thirteen", 13)):
        chosen = np.flatnonzero(frame[kind].fill_null(False).to_numpy())
        numbers = frame["number"].gather(chosen)
        digits = _characters(numbers, width).astype(np.int64) - 48
        digits[digits == 40] = 10  # X
        body = digits if width == 13 else np.hstack([np.tile([9, 7, 8], (len(digits), 1)), digits[:, :9]])
        weighed = (body[:, :12] * np.tile([1, 3], 6)).sum(axis=1)
        check = (10 - weighed % 10) % 10
        if width == 13:
            right = digits[:, 12] == check
            converted[chosen[right]] = numbers.filter(pl.Series(right)).to_numpy()
        else:
            right = (digits * np.arange(10, 0, -1)).sum(axis=1) % 11 == 0
            full = ("978" + numbers.str.slice(0, 9) + pl.Series(check.astype(str), dtype=pl.String)).filter(
                pl.Series(right)
            )
            converted[chosen[right]] = full.to_numpy()
    for index in np.flatnonzero(frame["odd"].fill_null(False).to_numpy()).tolist():
        converted[index] = normalize_isbn(values[index])
    return pl.Series(converted.tolist(), dtype=pl.String)


def _characters(texts: pl.Series, width: int) -> npt.NDArray[np.uint8]:
    """ASCII texts of one width as a matrix, a row a text."""
    return np.frombuffer("".join(texts.to_list()).encode("ascii"), dtype=np.uint8).reshape(len(texts), width)


def _lccn(value: pl.Expr) -> pl.Expr:
    """`normalize_lccn` of a column."""
    text = value.str.replace_all(" ", "", literal=True).str.extract(r"^([^/]*)", 1)
    prefix, serial = text.str.extract(r"^([^-]*)-", 1), text.str.extract(r"(?s)^[^-]*-(.*)$", 1)
    whole = pl.when(serial.is_not_null()).then(prefix + serial.str.pad_start(6, "0")).otherwise(text).str.to_lowercase()
    return pl.when(whole != "").then(whole)


_TAGS = "001 003 005 008 010 020 022 035 041 100 110 111 130 240 245 260 264".split()


class _Picked:
    """The rows that facts come from, each with the place of its record among the readable ones."""

    def __init__(self, records: pl.Series, subfields: pl.DataFrame) -> None:
        picked = subfields.filter(pl.col("tag").is_in(_TAGS) & pl.col("value").is_not_null())
        numbers = records.to_numpy()
        own = picked["record"].to_numpy()
        place = np.searchsorted(numbers, own)
        known = np.flatnonzero(numbers[np.minimum(place, len(numbers) - 1)] == own) if len(numbers) else place[:0]
        frame = picked if len(known) == len(own) else picked[known]
        self.count = len(numbers)
        self.place = place[known]
        self.value = frame["value"]
        # For people and for keys: in normalization form C.
        self.text = frame["nfc"].fill_null(self.value) if "nfc" in frame.columns else self.value
        self.tag = frame["tag"].cast(pl.Int16).to_numpy()
        data, offsets = text_buffers(frame["code"].fill_null(""))
        padded = np.concatenate((data, np.zeros(1, dtype=np.uint8)))
        self.code = np.where(np.diff(offsets) > 0, padded[offsets[:-1]], 0)
        self.ind2 = frame["ind2"]

    def rows(self, tags: tuple[int, ...], codes: str = "") -> npt.NDArray[np.int64]:
        """Indices of the rows of fields, in a data field those of some subfields."""
        chosen = np.isin(self.tag, tags) if len(tags) > 1 else self.tag == tags[0]
        rows = np.flatnonzero(chosen)
        if not codes:
            return rows
        own = self.code[rows]
        chosen = np.zeros(len(own), dtype=np.bool_)
        for code in codes.encode("ascii"):
            chosen |= own == code
        return rows[chosen]

    def first(self, rows: npt.NDArray[np.int64], values: pl.Series | None = None) -> pl.Series:
        """The first value of each record; `values`: of the rows, where they are not those of the frame."""
        place = self.place[rows]
        new = np.concatenate(([True], place[1:] != place[:-1])) if len(place) else np.zeros(0, dtype=bool)
        index = np.full(self.count, -1, dtype=np.int64)
        index[place[new]] = np.flatnonzero(new) if values is not None else rows[new]
        wanted = pl.Series(index)
        source = values if values is not None else self.value
        return (
            source.gather(wanted.set(wanted < 0, None))
            if len(source)
            else pl.Series([None] * self.count, dtype=pl.String)
        )

    def lists(self, rows: npt.NDArray[np.int64], values: pl.Series) -> pl.Series:
        """The values of each record's rows, each once, without nulls."""
        frame = pl.DataFrame({"place": self.place[rows], "value": values}).drop_nulls()
        frame = frame.unique(maintain_order=True) if len(frame) > 1 else frame
        counts = np.bincount(frame["place"].to_numpy(), minlength=self.count)
        offsets = np.concatenate(([0], np.cumsum(counts)))
        # Rows come in the order of the records, unless several sources were put together.
        ordered = (
            frame.sort("place", maintain_order=True)["value"] if not frame["place"].is_sorted() else frame["value"]
        )
        array = pa.LargeListArray.from_arrays(pa.array(offsets, pa.int64()), ordered.to_arrow().cast(pa.large_string()))
        return pl.Series(pl.from_arrow(array), dtype=pl.List(pl.String))

    def joined(self, rows: npt.NDArray[np.int64]) -> pl.Series:
        """The texts of each record's rows in one, a blank between."""
        place = self.place[rows]
        new = np.concatenate(([True], place[1:] != place[:-1])) if len(place) else np.zeros(0, dtype=bool)
        pieces = self.text.gather(rows).to_frame("text")
        between = pl.when(pl.lit(pl.Series(new))).then("text").otherwise(pl.lit(" ") + pl.col("text"))
        data, offsets = text_buffers(pieces.select(between.alias("text"))["text"])
        starts = np.concatenate((offsets[:-1][new], offsets[-1:]))
        array = pa.Array.from_buffers(
            pa.large_string(), len(starts) - 1, [None, pa.py_buffer(starts), pa.py_buffer(data)]
        )
        return self.first(rows, pl.Series(pl.from_arrow(array), dtype=pl.String).gather(np.cumsum(new) - 1))


def _mapped(values: pl.Series, function: Any) -> pl.Series:
    return pl.Series([function(each) for each in values.to_list()], dtype=pl.String)


def _ocn_of_001(picked: _Picked) -> tuple[npt.NDArray[np.int64], pl.Series]:
    """001 is an OCN where it has OCLC's prefix, or where 003 says that it is OCLC's."""
    rows = picked.rows((1,))
    organization = picked.first(picked.rows((3,))).str.strip_chars().gather(picked.place[rows])
    frame = pl.DataFrame({"number": picked.value.gather(rows).str.strip_chars(), "org": organization})
    prefixed = pl.col("number").str.extract(r"^(?:ocm|ocn|on)0*(\d+)$", 1)
    plain = pl.when(pl.col("org") == "OCoLC").then(pl.col("number").str.extract(r"^0*(\d+)$", 1))
    return rows, frame.select(pl.coalesce(prefixed, plain).alias("ocn"))["ocn"]


def _ocns(picked: _Picked) -> pl.Series:
    rows_001, of_001 = _ocn_of_001(picked)
    rows_035 = picked.rows((35,), "a")
    of_035 = pl.DataFrame({"v": picked.value.gather(rows_035)}).select(normalize_ocn(pl.col("v")))["v"]
    return picked.lists(np.concatenate((rows_035, rows_001)), pl.concat([of_035, of_001]))


def _languages(picked: _Picked) -> pl.Series:
    """Codes of three letters: older records have several run together in one 041 $a."""
    rows = picked.rows((41,), "ad")
    codes = pl.DataFrame({"row": rows, "v": picked.value.gather(rows).str.extract_all(r"[a-z]{3}")}).explode("v")
    fixed = picked.rows((8,))
    own = picked.value.gather(fixed).str.slice(35, 3)
    own = own.set(~own.str.contains(r"^[a-z]{3}$"), None)
    return picked.lists(np.concatenate((codes["row"].to_numpy(), fixed)), pl.concat([codes["v"], own]))


def _imprint_year(picked: _Picked) -> pl.Series:
    rows = picked.rows((264,), "c")
    rows = rows[(picked.ind2.gather(rows) == "1").fill_null(False).to_numpy()]
    published, imprint = picked.first(rows), picked.first(picked.rows((260,), "c"))
    year = r"(?:^|[^0-9])(1[4-9][0-9]{2}|20[0-9]{2})(?:[^0-9]|$)"
    return pl.DataFrame({"a": published.str.extract(year, 1), "b": imprint.str.extract(year, 1)}).select(
        pl.coalesce("a", "b").cast(pl.Int32)
    )["a"]


def _work_title(picked: _Picked) -> pl.Series:
    """130, else 240, else 245: the title that all editions of a work share, as far as the record says it."""
    titles = {str(tag): picked.joined(picked.rows((tag,), "anp")) for tag in (130, 240, 245)}
    return pl.DataFrame(titles).select(pl.coalesce("130", "240", "245"))["130"]


def _field_counts(records: pl.Series, subfields: pl.DataFrame) -> npt.NDArray[np.uint32]:
    record, field = subfields["record"].to_numpy(), subfields["field"].to_numpy()
    if not len(record):
        return np.zeros(len(records), dtype=np.uint32)
    new = np.concatenate(([True], (record[1:] != record[:-1]) | (field[1:] != field[:-1])))
    numbers = records.to_numpy()
    place = np.searchsorted(numbers, record[new])
    known = numbers[np.minimum(place, len(numbers) - 1)] == record[new] if len(numbers) else np.zeros(0, dtype=bool)
    return np.bincount(place[known], minlength=len(numbers)).astype(np.uint32)


def normalize(index: pl.DataFrame, subfields: pl.DataFrame, *, source: str, window: str) -> pl.DataFrame:
    """A row a readable record, in the shape of NORMALIZED.

    Args:
        index: shape of `harvest.INDEX`, sorted by record; rows with a fault are left out.
        subfields: shape of `frames.NORMALIZED_SUBFIELDS`, of the same records.
        source: name of the source.
        window: what the source's records are numbered in: the day of the partition.
    """
    records = index.filter(pl.col("fault").is_null()).select(
        "record", "file", "leader", "encoding", pl.col("sha256").alias("content_sha256"), "masked_values"
    )
    picked = _Picked(records["record"], subfields)
    of_020, of_022, of_010, of_035 = (picked.rows((tag,), "a") for tag in (20, 22, 10, 35))
    of_author = picked.rows((100, 110, 111), "a")
    facts = {
        "control_number": picked.first(picked.rows((1,))),
        "control_number_org": picked.first(picked.rows((3,))),
        "last_modified": picked.first(picked.rows((5,))),
        "f008": picked.first(picked.rows((8,))),
        "system_numbers": picked.lists(of_035, picked.value.gather(of_035).str.strip_chars()),
        "ocn": _ocns(picked),
        "isbn": picked.lists(of_020, isbns(picked.value.gather(of_020))),
        "issn": picked.lists(of_022, _mapped(picked.value.gather(of_022), normalize_issn)),
        "lccn": picked.lists(of_010, picked.value.gather(of_010).to_frame("v").select(_lccn(pl.col("v")))["v"]),
        "languages": _languages(picked),
        "title": picked.joined(picked.rows((245,), "abnp")),
        "work_title": _work_title(picked),
        "author": picked.first(of_author, picked.text.gather(of_author)),
        "imprint_year": _imprint_year(picked),
        "fields": pl.Series(_field_counts(records["record"], subfields)),
    }
    frame = records.with_columns(values.alias(name) for name, values in facts.items()).with_columns(
        pl.col("control_number", "control_number_org", "last_modified").str.strip_chars().fill_null(""),
        *_of_leader(),
        *_of_008(),
        pl.col("title", "author").str.strip_chars(" /:;,.="),
        *(heading_keys(facts[name].fill_null("")).alias(key) for name, key in _KEYS.items()),
    )
    frame = frame.with_columns(
        pl.when(pl.col("work_key") != "")
        .then(pl.concat_str("author_key", pl.lit(" / "), "work_key"))
        .otherwise(pl.lit(""))
        .alias("work_key"),
        fingerprints(
            frame.select(
                pl.concat_str(pl.lit("("), "control_number_org", pl.lit(")"), "control_number").alias("number"),
                pl.when(pl.col("last_modified") != "")
                .then("last_modified")
                .otherwise("content_sha256")
                .alias("modified"),
            )
        ).alias("fingerprint"),
    )
    ids = correlation_ids(source, window, frame["record"], frame["fingerprint"])
    return frame.with_columns(ids.alias("correlation_id")).select(
        [pl.col(name).cast(dtype) for name, dtype in NORMALIZED.items()]
    )


_KEYS = {"title": "title_key", "author": "author_key", "work_title": "work_key"}


def _of_leader() -> list[pl.Expr]:
    leader = pl.col("leader")
    serial = leader.str.slice(7, 1).is_in(["b", "i", "s"]) & (leader.str.slice(6, 1) == "a")
    return [
        leader.str.slice(5, 1).alias("status"),
        pl.when(serial)
        .then(pl.lit("serial"))
        .otherwise(leader.str.slice(6, 1).replace_strict(_MATERIAL, default="other"))
        .alias("material_type"),
    ]


def _of_008() -> list[pl.Expr]:
    fixed = pl.col("f008")
    return [
        fixed.str.slice(35, 3).alias("language"),
        fixed.str.slice(15, 3).str.strip_chars().alias("country"),
        fixed.str.slice(6, 1).alias("date_type"),
        fixed.str.slice(7, 4).alias("date1"),
        fixed.str.slice(11, 4).alias("date2"),
        fixed.str.slice(7, 4).str.extract(r"^(\d{4})$", 1).cast(pl.Int32, strict=False).alias("year"),
    ]
