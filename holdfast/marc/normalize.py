"""Facts of a record as columns: control fields, identifiers, titles, keys, fingerprint."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import stdnum.exceptions
from stdnum import isbn, issn

from holdfast.identity import correlation_ids, fingerprints
from holdfast.marc import identifiers, picking
from holdfast.marc.carriers import carriers
from holdfast.marc.folding import Folding
from holdfast.marc.string_views import numbers, series_of_texts, series_of_views, text, text_buffers

# The code of this module: a change of what it makes is a change of this number (assets carry it as their code_version).
VERSION = "4"

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
    "carrier": pl.String,  # 'electronic', 'microform' or 'tangible' (module carriers); null: unknown
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


def _lists(places: npt.NDArray[Any], values: pl.Series, count: int) -> pl.Series:
    """The values of each record (by its place), each once, without nulls."""
    frame = pl.DataFrame({"place": places, "value": values}).drop_nulls()
    frame = frame.unique(maintain_order=True) if len(frame) > 1 else frame
    counts = np.bincount(frame["place"].to_numpy(), minlength=count)
    # Rows come in the order of the records, unless several sources were put together.
    ordered = frame.sort("place", maintain_order=True)["value"]
    return _as_lists(np.concatenate(([0], np.cumsum(counts))), ordered)


def _as_lists(offsets: npt.NDArray[Any], values: pl.Series) -> pl.Series:
    array = values.rechunk().to_arrow(compat_level=pl.CompatLevel.newest())
    lists = pa.LargeListArray.from_arrays(
        pa.Array.from_buffers(pa.int64(), len(offsets), [None, pa.py_buffer(np.asarray(offsets, dtype=np.int64))]),
        array,
    )
    return pl.Series(pl.from_arrow(lists), dtype=pl.List(pl.String))


class _Picked:
    """The rows that facts come from, each with the place of its record among the readable ones."""

    def __init__(self, records: pl.Series, subfields: pl.DataFrame) -> None:
        if not subfields["record"].is_sorted():
            subfields = subfields.sort("record", maintain_order=True)
        rows = subfields.height
        self.count = len(records)
        self.column = subfields["value"]
        self.values = text(self.column)
        # For people and for keys: in normalization form C.
        self.forms = text(subfields["nfc"] if "nfc" in subfields.columns else pl.Series([], dtype=pl.String))
        self.first = np.full((picking.FIRSTS, self.count), -1, dtype=np.int64)
        self.fields = np.zeros(self.count, dtype=np.uint32)
        self._counts, self._sizes = np.zeros((2, picking.ALLS), dtype=np.int64)
        # Untouched pages cost nothing.
        self._rows, self._owners = np.empty((2, picking.ALLS, rows), dtype=np.int32)
        columns = (text(subfields[name]) for name in ("tag", "code", "ind2"))
        picking.pick(
            numbers(subfields["record"]), numbers(subfields["field"]), *columns, self.values, self.forms,
            numbers(records), self.first, self._rows, self._owners, self._counts, self._sizes, self.fields,
        )  # fmt: skip

    def rows(self, which: int) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        """(rows, places of their records)"""
        count = self._counts[which]
        return self._rows[which, :count], self._owners[which, :count]

    def room(self, which: int, more: int = 0) -> npt.NDArray[np.uint8]:
        """A buffer for the texts of these rows, and `more` for each."""
        return np.empty(int(self._sizes[which] + more * self._counts[which]) + 16, dtype=np.uint8)

    def stripped(self, which: int) -> pl.Series:
        """The first value of each record without blanks at its ends; '' where there is none."""
        views = np.empty((self.count, 4), dtype=np.uint32)
        picking.stripped_firsts(self.first[which], self.values, views)
        return series_of_views(views, [self.values.data], None)

    def identifiers(self, which: int, loop: Any, others: Callable[[pl.Series], pl.Series], more: int = 0) -> pl.Series:
        """Lists of what `loop` (one of `identifiers`'s) makes of the values, and `others` of those that it is not sure of."""
        rows, owners = self.rows(which)
        views, states = np.empty((len(rows), 4), dtype=np.uint32), np.empty(len(rows), dtype=np.uint8)
        extra = self.room(which, more)
        loop(rows, self.values, views, states, extra)
        return self.lists(rows, owners, views, states, extra, others)

    def lists(
        self, rows: npt.NDArray[Any], owners: npt.NDArray[Any], views: npt.NDArray[Any], states: npt.NDArray[Any],
        extra: npt.NDArray[Any], others: Callable[[pl.Series], pl.Series],
    ) -> pl.Series:  # fmt: skip
        asked = np.flatnonzero(states == identifiers.ASK)
        if len(asked):
            answers = others(self.column.gather(rows[asked]))
            told = asked[answers.is_not_null().to_numpy()]
            more, ends = text_buffers(answers.drop_nulls())
            extra = np.concatenate((extra, more))
            identifiers.put_views(told, extra, ends + (len(extra) - len(more)), views, states)
        made, offsets = np.empty((len(rows), 4), dtype=np.uint32), np.empty(self.count + 1, dtype=np.int64)
        found = identifiers.as_lists(views, owners, states, extra, self.count, made, offsets)
        if found >= 0:
            return _as_lists(offsets, series_of_views(made[:found], [extra], None))
        there = states == identifiers.MADE
        return _lists(owners, series_of_views(np.where(there[:, None], views, 0), [extra], there), self.count)


def _ocns(picked: _Picked) -> pl.Series:
    rows, owners = picked.rows(picking.ALL_035)
    more_rows, more_owners = picked.rows(picking.ALL_001)
    parts = len(rows), len(more_rows)
    views, states = np.empty((sum(parts), 4), dtype=np.uint32), np.empty(sum(parts), dtype=np.uint8)
    extra = np.concatenate((picked.room(picking.ALL_035), picked.room(picking.ALL_001)))
    used = identifiers.oclc_numbers(rows, picked.values, views[: parts[0]], states[: parts[0]], extra)
    organizations = picked.first[picking.FIRST_003]
    identifiers.oclc_control_numbers(
        more_rows, more_owners, organizations, picked.values, views[parts[0] :], states[parts[0] :], extra, used
    )
    both = np.concatenate((owners, more_owners))
    order = np.argsort(both, kind="stable")
    of_001 = order >= parts[0]
    asked = states[order] == identifiers.ASK

    def others(values: pl.Series) -> pl.Series:
        organization = picked.stripped(picking.FIRST_003).gather(both[order][asked])
        frame = pl.DataFrame({"v": values, "org": organization, "of_001": of_001[asked]})
        return frame.select(
            pl.when("of_001")
            .then(_ocn_of_001(pl.col("v"), pl.col("org")))
            .otherwise(normalize_ocn(pl.col("v")))
            .alias("v")
        )["v"]

    all_rows = np.concatenate((rows, more_rows))[order]
    return picked.lists(all_rows, both[order], views[order], states[order], extra, others)


def _ocn_of_001(value: pl.Expr, organization: pl.Expr) -> pl.Expr:
    """001 is an OCN where it has OCLC's prefix, or where 003 says that it is OCLC's."""
    number = value.str.strip_chars()
    prefixed = number.str.extract(r"^(?:ocm|ocn|on)0*(\d+)$", 1)
    return pl.coalesce(prefixed, pl.when(organization == "OCoLC").then(number.str.extract(r"^0*(\d+)$", 1)))


def _languages(picked: _Picked) -> pl.Series:
    """Codes of three letters: older records have several run together in one 041 $a."""
    rows, owners = picked.rows(picking.ALL_041)
    fixed, fixed_owners = picked.rows(picking.ALL_008)
    views = np.empty((len(picked.room(picking.ALL_041)) // 3 + len(fixed), 4), dtype=np.uint32)
    offsets = np.empty(picked.count + 1, dtype=np.int64)
    found = picking.language_codes(rows, owners, fixed, fixed_owners, picked.count, picked.values, views, offsets)
    if found >= 0:
        return _as_lists(offsets, series_of_views(views[:found], [], None))
    values = picked.column.gather(rows).str.extract_all(r"[a-z]{3}")
    codes = pl.DataFrame({"place": owners, "v": values}).explode("v")
    own = picked.column.gather(fixed).str.slice(35, 3)
    own = own.set(~own.str.contains(r"^[a-z]{3}$"), None)
    places = np.concatenate((codes["place"].to_numpy(), fixed_owners))
    return _lists(places, pl.concat([codes["v"], own]), picked.count)


def _years(years: npt.NDArray[Any], known: npt.NDArray[Any]) -> pl.Series:
    return pl.Series(years, dtype=pl.Int32).set(pl.Series(~known), None)


def _of_008(picked: _Picked) -> dict[str, pl.Series]:
    first = picked.first[picking.FIRST_008]
    views = np.empty((picking.PARTS, picked.count, 4), dtype=np.uint32)
    years, known = np.empty(picked.count, dtype=np.int32), np.empty(picked.count, dtype=np.bool_)
    picking.fixed_parts(first, picked.values, views, years, known)
    names = ("language", "country", "date_type", "date1", "date2")
    parts = {name: series_of_views(views[k], [picked.values.data], first >= 0) for k, name in enumerate(names)}
    return parts | {"year": _years(years, known)}


def _imprint_year(picked: _Picked) -> pl.Series:
    published, imprint = picked.first[picking.FIRST_264], picked.first[picking.FIRST_260]
    years, known = np.empty(picked.count, dtype=np.int32), np.empty(picked.count, dtype=np.bool_)
    picking.imprint_years(published, imprint, picked.values, years, known)
    return _years(years, known)


def _of_leader(leaders: pl.Series, picked: _Picked) -> dict[str, pl.Series]:
    column = text(leaders)
    views, material = np.empty((len(leaders), 4), dtype=np.uint32), np.empty(len(leaders), dtype=np.uint32)
    more = picked.rows(picking.ALL_007), picked.rows(picking.ALL_338)
    picking.leader_parts(column, _MATERIALS, _SERIAL, views, material)
    return {
        "status": series_of_views(views, [column.data], None),
        "material_type": _MATERIAL_NAMES.gather(pl.Series(material)),
        "carrier": carriers(column, picked.values, picked.first[picking.FIRST_008], *more),
    }


# "other" for what is none of them, "serial" by leader/07.
_MATERIAL_NAMES = pl.Series(["other", "serial", *dict.fromkeys(_MATERIAL.values())], dtype=pl.String)
_SERIAL = 1
_MATERIALS = np.zeros(256, dtype=np.uint8)
for _letter, _name in _MATERIAL.items():
    _MATERIALS[ord(_letter)] = _MATERIAL_NAMES.to_list().index(_name)


_Texts = tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]


def _first_choice(picked: _Picked, *fields: int) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """(rows, places of their records) of the first of these fields that a record has."""
    taken = np.zeros(picked.count, dtype=np.bool_)
    chosen = []
    for field in fields:
        rows, owners = picked.rows(field)
        left = ~taken[owners]
        chosen.append((rows[left], owners[left]))
        taken[owners] = True
    rows, owners = (np.concatenate(arrays) for arrays in zip(*chosen, strict=True))
    order = np.argsort(owners, kind="stable")
    return rows[order], owners[order]


def _joined(picked: _Picked, rows: npt.NDArray[Any], owners: npt.NDArray[Any]) -> _Texts:
    """(bytes, offsets) of each record's texts in one, a blank between."""
    size = picking.size_of_texts(rows, picked.values, picked.forms) + len(rows)
    texts = np.empty(size + 16, dtype=np.uint8), np.empty(picked.count + 1, dtype=np.int64)
    picking.joined(rows, owners, picked.values, picked.forms, *texts)
    return texts


def _trimmed(texts: _Texts, owners: npt.NDArray[Any]) -> pl.Series:
    """The texts without the punctuation at their ends; null where a record has none."""
    count = len(texts[1]) - 1
    views, there = np.empty((count, 4), dtype=np.uint32), np.zeros(count, dtype=np.bool_)
    picking.trimmed(*texts, views)
    there[owners] = True
    return series_of_views(views, [texts[0]], there)


def _titles(picked: _Picked) -> dict[str, pl.Series]:
    """Titles, authors and their keys."""
    titles = picked.rows(picking.ALL_245)
    title = _joined(picked, *titles)
    owners = np.flatnonzero(picked.first[picking.FIRST_AUTHOR] >= 0).astype(np.int32)
    author = _joined(picked, picked.first[picking.FIRST_AUTHOR][owners].astype(np.int32), owners)
    work = _joined(picked, *_first_choice(picked, picking.WORK_130, picking.WORK_240, picking.WORK_245))
    keys, author_keys = heading_keys.fold(*title), heading_keys.fold(*author)
    work_keys = heading_keys.fold(*work)
    both = np.empty(int(author_keys[1][-1] + work_keys[1][-1]) + 3 * picked.count, dtype=np.uint8)
    offsets = np.empty(picked.count + 1, dtype=np.int64)
    used = picking.work_keys(*author_keys, *work_keys, both, offsets)
    return {
        "title": _trimmed(title, titles[1]),
        "title_key": series_of_texts(*keys),
        "author": _trimmed(author, owners),
        "author_key": series_of_texts(*author_keys),
        "work_key": series_of_texts(both[:used], offsets),
    }


def normalize(index: pl.DataFrame, subfields: pl.DataFrame, *, source: str, window: str) -> pl.DataFrame:
    """A row a readable record, in the shape of NORMALIZED.

    Args:
        index: shape of `harvest.INDEX`, sorted by record; rows with a fault are left out.
        subfields: shape of `frames.NORMALIZED_SUBFIELDS`, of the same records.
        source: name of the source.
        window: what the source's records are numbered in: the day of the partition.
    """
    records = index.filter(pl.col("fault").is_null()) if index["fault"].null_count() < index.height else index
    picked = _Picked(records["record"], subfields)
    facts = {
        "record": records["record"],
        "file": records["file"],
        "content_sha256": records["sha256"],
        "control_number": picked.stripped(picking.FIRST_001),
        "control_number_org": picked.stripped(picking.FIRST_003),
        "system_numbers": picked.identifiers(picking.ALL_035, identifiers.system_numbers, _stripped),
        "last_modified": picked.stripped(picking.FIRST_005),
        "leader": records["leader"],
        **_of_leader(records["leader"], picked),
        "encoding": records["encoding"],
        "ocn": _ocns(picked),
        "isbn": picked.identifiers(picking.ALL_020, identifiers.isbns, isbns, more=13),
        "issn": picked.identifiers(picking.ALL_022, identifiers.issns, _issns),
        "lccn": picked.identifiers(picking.ALL_010, identifiers.lccns, _lccns, more=6),
        "languages": _languages(picked),
        **_of_008(picked),
        "imprint_year": _imprint_year(picked),
        **_titles(picked),
        "fields": pl.Series(picked.fields),
        "masked_values": records["masked_values"],
    }
    prints = fingerprints(
        pl.DataFrame([facts[name].alias(name) for name in _IDENTITY]).select(
            pl.concat_str(pl.lit("("), "control_number_org", pl.lit(")"), "control_number").alias("number"),
            pl.when(pl.col("last_modified") != "").then("last_modified").otherwise("content_sha256").alias("modified"),
        )
    )
    facts["fingerprint"] = prints
    facts["correlation_id"] = correlation_ids(source, window, records["record"], prints)
    return pl.DataFrame({name: facts[name] for name in NORMALIZED.names()}, schema_overrides=NORMALIZED)


_IDENTITY = ("control_number", "control_number_org", "last_modified", "content_sha256")


def _issns(values: pl.Series) -> pl.Series:
    return pl.Series([normalize_issn(each) for each in values.to_list()], dtype=pl.String)


def _lccns(values: pl.Series) -> pl.Series:
    return values.to_frame("v").select(_lccn(pl.col("v")))["v"]


def _stripped(values: pl.Series) -> pl.Series:
    return values.str.strip_chars()
