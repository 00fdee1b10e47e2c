"""Seen before? The filter says "surely not" or "perhaps"; "perhaps" asks the ledger."""

from __future__ import annotations

import polars as pl

from resources.ils.client import Written, source_record_id
from resources.ledger.client import Ledger
from resources.redis.filter import IdempotencyFilter

_CHUNK = 5_000


def seen_key(correlation_id: str, content_sha256: str) -> str:
    """What the filter holds of a written record. The content is in it: the same 005 over other content is not seen."""
    return f"{correlation_id}:{content_sha256}"


def mark_seen(
    matched: pl.DataFrame,
    records: pl.DataFrame,
    ledger: Ledger,
    seen: IdempotencyFilter,
    ils: str,
    source: str,
    partition: str,
) -> pl.DataFrame:
    """`matched` with the verdict 'seen' (or 'seen suppressed') where the ledger says that this very record was written to
    this library system."""
    if not ledger.count(ils, source, partition):
        return matched
    window = window_name(ils, source, partition)
    if not seen.knows(window):
        remember(ledger, seen, ils, source, partition)  # Redis lost the window
    pairs = list(records.select("correlation_id", "content_sha256").iter_rows())
    perhaps = seen.perhaps_seen(window, [seen_key(*pair) for pair in pairs])
    wanted = [pair for pair, answer in zip(pairs, perhaps, strict=True) if answer]
    verdicts: dict[str, str] = {}
    for at in range(0, len(wanted), _CHUNK):
        chunk = wanted[at : at + _CHUNK]
        written = ledger.acknowledged(ils, [correlation for correlation, _ in chunk])
        for pair in chunk:
            if pair in written:
                verdicts[pair[0]] = "seen suppressed" if written[pair]["action"] == "suppress" else "seen"
    known = pl.DataFrame(
        {"correlation_id": list(verdicts), "seen": list(verdicts.values())},
        schema={"correlation_id": pl.String, "seen": pl.String},
    )
    rows = matched.join(known, on="correlation_id", how="left", maintain_order="left")
    return rows.with_columns(pl.coalesce("seen", "verdict").alias("verdict")).drop("seen")


def settle_doubts(ledger: Ledger, ils: str, source: str, partition: str, snapshot: pl.LazyFrame) -> int:
    """Acknowledge what a run that died had sent, where the catalogue has it; how many. What is not settled here and is
    planned again is read again before it is written."""
    rounds = ledger.rounds(ils, ledger.in_doubt(ils, source, partition))
    keys = {source_record_id(key, round_): key for key, round_ in rounds.items()}
    if not keys:
        return 0
    found = (
        snapshot.filter(pl.col("source_id").is_in(list(keys))).select("source_id", "version", "instance_id").collect()
    )
    written = [
        Written(keys[each], "acknowledged", version, "found written", target)
        for each, version, target in found.iter_rows()
    ]
    ledger.settle(ils, written)
    return len(written)


def window_name(ils: str, source: str, partition: str) -> str:
    """Of the window in the filter."""
    return f"{ils}|{source}|{partition}"


def remember(ledger: Ledger, seen: IdempotencyFilter, ils: str, source: str, partition: str) -> None:
    """Put all that the window has written into its filter, also what an earlier filter may have lost."""
    keys = [seen_key(*each) for each in ledger.written(ils, source, partition)]
    seen.add_many(window_name(ils, source, partition), keys)
