"""ISO 2709 as columns.

`kernel.read_block` takes in one pass what is beyond doubt, `strict.read_strictly` judges the rest and names the faults.
Values are views into the block, not copies; only MARC-8 with something to convert is written anew.

Source: ISO 2709:2008; MARC 21 Specifications for Record Structure, Character Sets, and Exchange Media.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import polars as pl

from holdfast.marc import kernel
from holdfast.marc.blocks import Block
from holdfast.marc.encoding import CLAIMS, MARC21, Reading, undo_twice
from holdfast.marc.frames import RECORDS, SUBFIELDS, Frames
from holdfast.marc.marc8 import code_tables
from holdfast.marc.strict import FILLER, read_strictly
from holdfast.marc.string_views import Ints, series_of_views

__all__ = ["FILLER", "read_columns"]

_PAD = 32
_IS_FILLER = np.isin(np.arange(256), np.frombuffer(FILLER, dtype=np.uint8))
_FOUND = np.array(["unknown", "ascii", "utf-8", "marc-8", "utf-8"], dtype=object)  # by state of a span
_NO_EXTRA = np.zeros(_PAD, dtype=np.uint8)


def read_columns(block: Block, first_record: int = 1, reading: Reading = MARC21) -> Frames:
    """Frames of a block of ISO 2709; records are numbered from `first_record`.

    Every byte of the block is in a record's row (readable or with a fault) or is filler between records (CR, LF, blank,
    NUL, 0x1A). Never raises for what is in the bytes.

    Args:
        reading: which encodings may be used, and whether the records are UNIMARC.
    """
    frames = _read(block, first_record, reading)
    return _with_unimarc_claims(frames) if reading.unimarc else frames


def _read(block: Block, first_record: int, reading: Reading) -> Frames:
    data = block.data
    if not data:
        return Frames(pl.DataFrame(schema=RECORDS), pl.DataFrame(schema=SUBFIELDS))
    buffer = np.frombuffer(data + bytes(_PAD), dtype=np.uint8)
    spans, rows, extra = _scan(buffer, len(data))
    judged = _for_the_strict(spans, buffer, reading)
    records, subfields = _clean_frames(block, spans, rows, extra, ~judged)
    if not judged.any():
        number = np.arange(first_record, first_record + records.height, dtype=np.uint32)
        owner = rows["span"] + np.uint32(first_record)
        return Frames(_numbered(records, number), _numbered(subfields, owner))
    return _in_order(records, subfields, rows["span"], judged, _strictly(block, spans, judged, reading), first_record)


def _with_unimarc_claims(frames: Frames) -> Frames:
    """Claims by 100 $a/26-27, the set in G0, and /28-29, the one in G1; leader/09 says nothing in UNIMARC."""
    first = (pl.col("tag") == "100") & (pl.col("code") == "a")
    general = frames.subfields.filter(first).unique("record", keep="first")
    sets = pl.col("value").str.slice(26, 2), pl.col("value").str.slice(28, 2)
    claim = (
        pl.when(sets[0] == "50").then(pl.lit("utf-8")).when(sets[1] == "03").then(pl.lit("iso-5426"))
        .when((sets[0] == "01") & (sets[1].str.strip_chars() == "")).then(pl.lit("ascii")).otherwise(pl.lit("unknown"))
    )  # fmt: skip
    claims = general.select("record", claim.alias("claims"))
    records = frames.records.drop("claims").join(claims, on="record", how="left", maintain_order="left")
    return Frames(records.with_columns(pl.col("claims").fill_null("unknown")).select(RECORDS.names()), frames.subfields)


def _scan(buffer: Any, size: int) -> tuple[dict[str, Ints], dict[str, Ints], Ints]:
    """Spans and rows of a block (see `kernel.read_block`), and the bytes of what was converted."""
    terminators, pieces, legacy = kernel.count_bytes(buffer[:size])
    most_spans, most_rows = terminators + 1, pieces + 1
    spans = {name: np.empty(most_spans, dtype=np.int64) for name in ("start", "end", "state", "fields")}
    rows: dict[str, Ints] = {
        "span": np.empty(most_rows, dtype=np.uint32),
        "field": np.empty(most_rows, dtype=np.uint16),
    }
    rows |= {name: np.empty((most_rows, 4), dtype=np.int32) for name in ("tag", "ind1", "ind2", "code", "value")}
    rows |= {name: np.empty(most_rows, dtype=np.bool_) for name in ("has_ind", "has_code", "has_value")}
    # Untouched pages cost nothing; a byte becomes three at most.
    extra = np.empty(3 * size + _PAD, dtype=np.uint8) if legacy else _NO_EXTRA
    count, found, used = kernel.read_block(
        buffer, size, _IS_FILLER, *code_tables(), *spans.values(), *rows.values(), extra
    )
    for values in rows.values():
        # Nothing looks at them yet: what was too much is given back, a fifth of the block's memory.
        values.resize((found, *values.shape[1:]), refcheck=False)
    return {name: values[:count] for name, values in spans.items()}, rows, extra[:used]


def _for_the_strict(spans: dict[str, Ints], buffer: Any, reading: Reading) -> Any:
    """Which spans `strict` has to judge: what the kernel left, and what this reading may treat in another way."""
    state = spans["state"]
    judged = state == kernel.SUSPECT
    if reading.unimarc or reading.encodings[:2] != MARC21.encodings:
        judged |= state == kernel.MARC8
    if reading.unimarc:
        # An escape sequence in ASCII is text where UTF-8 is declared; only the strict reader looks that up.
        escapes = np.flatnonzero(buffer == 0x1B)
        judged |= np.searchsorted(escapes, spans["start"]) < np.searchsorted(escapes, spans["end"])
    if "utf-8-twice" in reading.encodings:
        judged |= state == kernel.TWICE
    return judged


def _clean_frames(
    block: Block, spans: dict[str, Ints], rows: dict[str, Ints], extra: Ints, clean: Any
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Frames without the column `record`; all rows of subfields, but only the clean records."""
    data = block.data
    start, end, state = (spans[name][clean] for name in ("start", "end", "state"))
    view, starts, ends = memoryview(data), start.tolist(), end.tolist()
    found = _FOUND[state]
    for k in np.flatnonzero(state == kernel.TWICE).tolist():
        if undo_twice(data[starts[k] : ends[k]].decode("utf-8")) is not None:
            found[k] = "utf-8-twice"
    leaders = np.zeros((len(start), 4), dtype=np.int32)
    leaders[:, 0], leaders[:, 3] = 24, start
    whole = np.frombuffer(data, dtype=np.uint8)
    if len(start):
        heads = np.lib.stride_tricks.sliding_window_view(whole, 4)[start]
        leaders[:, 1] = heads.copy().view(np.int32)[:, 0]
    declared = whole[start + 9]
    claims = np.full(len(start), "unknown", dtype=object)
    for byte, name in CLAIMS.items():
        claims[declared == byte[0]] = name
    records = pl.DataFrame(
        {
            "offset": (start + block.offset).astype(np.uint64),
            "length": (end - start).astype(np.uint32),
            "sha256": pl.Series(
                [hashlib.sha256(view[a:b]).hexdigest() for a, b in zip(starts, ends, strict=True)], dtype=pl.String
            ),
            "leader": series_of_views(leaders, [data], None),
            "claims": pl.Series(claims, dtype=pl.String),
            "found": pl.Series(found, dtype=pl.String),
            "encoding": pl.Series(_FOUND[state], dtype=pl.String),
        },
    ).with_columns(pl.lit(None, dtype).alias(name) for name, dtype in RECORDS.items() if name.startswith("fault"))
    has_ind, has_code, has_value = rows["has_ind"], rows["has_code"], rows["has_value"]
    subfields = pl.DataFrame(
        {
            "field": rows["field"],
            "tag": series_of_views(rows["tag"], [], None),
            "ind1": series_of_views(rows["ind1"], [], has_ind),
            "ind2": series_of_views(rows["ind2"], [], has_ind),
            "code": series_of_views(rows["code"], [], has_code),
            "value": series_of_views(rows["value"], [data, extra], None if has_value.all() else has_value),
        }
    )
    return records, subfields


def _numbered(frame: pl.DataFrame, number: Ints) -> pl.DataFrame:
    return frame.insert_column(0, pl.Series("record", number, dtype=pl.UInt32))


def _strictly(block: Block, spans: dict[str, Ints], judged: Any, reading: Reading) -> Frames:
    """Frames of the spans that are to be judged, which are read as one block; their places are those of the file."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], judged, [False])).astype(np.int8)))
    starts, ends = spans["start"][edges[::2]], spans["end"][edges[1::2] - 1]
    pieces = [block.data[a:b] for a, b in zip(starts.tolist(), ends.tolist(), strict=True)]
    last = block.last or int(ends[-1]) < len(block.data)
    seams = np.concatenate(([0], np.cumsum(ends - starts)[:-1]))
    frames = read_strictly(Block(b"".join(pieces), 0, last), 1, reading, frozenset(seams.tolist()))
    moved = []
    for name in ("offset", "fault_byte"):
        at = frames.records[name].fill_null(0).to_numpy().astype(np.int64)
        piece = np.searchsorted(seams, at, side="right") - 1
        column = pl.Series(name, at - seams[piece] + starts[piece] + block.offset, dtype=pl.UInt64)
        moved.append(column.set(frames.records[name].is_null(), None))
    return Frames(frames.records.with_columns(moved), frames.subfields)


def _in_order(
    records: pl.DataFrame, subfields: pl.DataFrame, owner: Ints, judged: Any, others: Frames, first_record: int
) -> Frames:
    """Clean and judged records in the order of the file, numbered through."""
    starts = np.concatenate([records["offset"].to_numpy(), others.records["offset"].to_numpy()])
    number = np.empty(len(starts), dtype=np.uint32)
    number[np.argsort(starts, kind="stable")] = np.arange(first_record, first_record + len(starts), dtype=np.uint32)
    place_of_span = np.cumsum(~judged) - 1
    kept = ~judged[owner]
    clean, own = number[: records.height], number[records.height :]
    parts = [_numbered(records, clean), others.records.with_columns(pl.Series("record", own))]
    rows = [
        _numbered(subfields.filter(pl.Series(kept)), clean[place_of_span[owner[kept]]]),
        others.subfields.with_columns(pl.Series("record", own[others.subfields["record"].to_numpy() - 1])),
    ]
    return Frames(pl.concat(parts).sort("record"), pl.concat(rows).sort("record", maintain_order=True))
