"""The plan as a document: what it would do in numbers, what in it is surprising, and a signed hash of its content.

The hash covers every row, every patch and every change as people see it, the window and the library system, and nothing of the run that made it: the same plan made
again has the same hash. The signature binds the hash to the measures that the change budget looks at; whoever has no key can
change neither.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from holdfast.catalogue.budget import Measures
from holdfast.catalogue.merging import Protection
from holdfast.catalogue.plan import PlanPart
from holdfast.identity import named_parts
from holdfast.marc.string_views import text_buffers
from holdfast.privacy.masking import PREFIX

DOCUMENT = pl.Schema(
    {
        "ils": pl.String,
        "partition": pl.String,
        "plan_sha256": pl.String,
        "signature": pl.String,
        "measures": pl.String,  # JSON of budget.Measures
        "requests": pl.Int64,
        "seconds": pl.Float64,  # that writing takes; null: not known
        "waiting_for": pl.String,  # why the plan needs approval, as it looked when it was made
    }
)

COUNTS = pl.Schema(
    {
        "entity": pl.String,  # 'bib', 'holdings', 'item' or 'patron'
        "action": pl.String,
        "tag": pl.String,  # of a feed the element
        "code": pl.String,
        "kind": pl.String,
        "subfields": pl.UInt32,
        "records": pl.UInt32,
    }
)

HASHED = ("rows", "patches", "changes")
HASHED_OF_FEEDS = ("rows", "changes")
_VERSION = 1
_KEY_CONTEXT = b"holdfast change_plan signature"


class PlanRefusedError(ValueError):
    """The plan is not what was made or approved; the text says what differs and what would mend it."""


class PlanHash:
    """The content's hash, part by part, so that memory holds one part. Where parts begin and end makes no difference."""

    def __init__(self, ils: str, partition: str, tables: Sequence[str] = HASHED) -> None:
        self._of = {"ils": ils, "partition": partition}
        self._tables = {name: TableHash() for name in tables}

    def add(self, *frames: pl.DataFrame) -> None:
        """A part of the tables. HASHED: shapes plan.PLAN, patch.PATCHES and patch.CHANGES; HASHED_OF_FEEDS: feeds.plan.PLAN and
        CHANGES."""
        for table, frame in zip(self._tables.values(), frames, strict=True):
            table.add(frame)

    def hexdigest(self) -> str:
        parts = {name: table.hexdigest() for name, table in self._tables.items()}
        return hashlib.sha256(named_parts(version=_VERSION, **self._of, **parts)).hexdigest()


class TableHash:
    """Of a frame column by column: which cells are null, how long each text is, and the texts; of numbers their eight bytes, low byte
    first. No two frames with the same columns are alike, and it takes no text to be made for it."""

    def __init__(self) -> None:
        self._digests: dict[str, tuple[Any, Any, Any]] = {}

    def add(self, frame: pl.DataFrame) -> None:
        for column in frame if frame.height else ():  # a part without rows is no part
            nulls, lengths, values = self._digests.setdefault(
                column.name, (hashlib.sha256(), hashlib.sha256(), hashlib.sha256())
            )
            nulls.update(column.is_null().to_numpy().astype(np.uint8).tobytes())
            if column.dtype == pl.String:
                data, offsets = text_buffers(column.fill_null(""))
                lengths.update(np.diff(offsets).astype("<i8").tobytes())
                values.update(data[offsets[0] : offsets[-1]])
            else:
                values.update(column.cast(pl.Int64).fill_null(0).to_numpy().astype("<i8").tobytes())

    def hexdigest(self) -> str:
        parts = {name: "".join(each.hexdigest() for each in found) for name, found in self._digests.items()}
        return hashlib.sha256(named_parts(**dict(sorted(parts.items())))).hexdigest()


def signing_key(secret: bytes) -> bytes:
    """32 bytes for signatures alone, of the institution's secret (RFC 5869)."""
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=_KEY_CONTEXT).derive(secret)


def sign(plan_sha256: str, measures: Measures, secret: bytes) -> str:
    """Hex HMAC-SHA-256."""
    text = named_parts(plan=plan_sha256, measures=measures_text(measures))
    return hmac.new(signing_key(secret), text, hashlib.sha256).hexdigest()


def measures_text(measures: Measures) -> str:
    return json.dumps(measures._asdict(), sort_keys=True)


def measures_of(text: str) -> Measures:
    return Measures(**json.loads(text))


def verify(document: dict[str, str], found_sha256: str, secret: bytes, asset: str = "change_plan") -> Measures:
    """The measures of a document (a row of the shape DOCUMENT) whose plan, of `asset`, was hashed again.

    Raises:
        PlanRefusedError: the plan or its document was changed after it was made.
    """
    where, tables = f"{asset} {document['partition']}", HASHED if asset == "change_plan" else HASHED_OF_FEEDS
    mend = f"nothing was written; materialize {asset} again, and look at what changed the lake"
    if not hmac.compare_digest(document["plan_sha256"], found_sha256):
        raise PlanRefusedError(
            f"{where}: its {', '.join(tables[:-1])} and {tables[-1]} have the hash {found_sha256[:12]}, the document was made for "
            f"{document['plan_sha256'][:12]}: {mend}"
        )
    try:
        measures = measures_of(document["measures"])
    except (ValueError, TypeError) as error:
        raise PlanRefusedError(f"{where}: its measures can't be read ({error}): {mend}") from error
    if not hmac.compare_digest(sign(found_sha256, measures, secret), document["signature"]):
        raise PlanRefusedError(
            f"{where}: the signature is not of this plan under the library's secret (HOLDFAST_MASKING_SALT): {mend}"
        )
    return measures


def count_changes(plan: pl.DataFrame, changes: pl.DataFrame, entity: str = "bib") -> pl.DataFrame:
    """Shape COUNTS, of a part of a plan; records of different parts are different ones.

    Args:
        plan: columns record and action at least.
        changes: shape patch.CHANGES.
    """
    rows = changes.join(plan.select("record", "action"), on="record", how="left").with_columns(
        pl.lit(entity).alias("entity")
    )
    return _counted(rows, pl.len(), pl.col("record").n_unique())


def add_counts(parts: list[pl.DataFrame]) -> pl.DataFrame:
    """Shape COUNTS, most frequent first."""
    whole = pl.concat(parts) if parts else pl.DataFrame(schema=COUNTS)
    return _counted(whole, pl.col("subfields").sum(), pl.col("records").sum())


def _counted(rows: pl.DataFrame, subfields: pl.Expr, records: pl.Expr) -> pl.DataFrame:
    names = ["entity", "action", "tag", "code", "kind"]
    found = rows.group_by(names).agg(subfields.alias("subfields"), records.alias("records"))
    return found.select(COUNTS.names()).cast(COUNTS).sort("subfields", *names, descending=[True] + [False] * len(names))


def measure_part(part: PlanPart, protected: Protection, to_approve: Protection) -> Measures:
    """What a part adds to the plan's measures."""
    actions = dict(part.plan.group_by("action").len().iter_rows())
    live = part.plan.filter(pl.col("action") != "create").select("record")
    fields = (
        part.patches.join(live, on="record", how="semi")
        .filter(~pl.col("tag").is_in(["005", "LDR"]))
        .group_by("record", "tag")
        .agg(
            ((pl.col("op") == "delete").sum().cast(pl.Int64) - (pl.col("op") == "add").sum().cast(pl.Int64)).alias(
                "gone"
            )
        )
    )
    changes = part.changes.join(live, on="record", how="semi")
    return Measures(
        created=actions.get("create", 0),
        updated=actions.get("update", 0),
        suppressed=actions.get("suppress", 0),
        removed_fields=int(fields.filter(pl.col("gone") > 0)["gone"].sum()),
        protected=changes.filter(
            protected.field() | protected.subfield() | pl.col("after").str.starts_with(PREFIX).fill_null(False)
        ).height,
        to_approve=changes.filter(to_approve.field() | to_approve.subfield()).height,
    )


def add_measures(first: Measures, second: Measures) -> Measures:
    return Measures(*(one + other for one, other in zip(first, second, strict=True)))
