"""Each incoming record against the others of its load and against the catalogue.

Identifiers are tried in the order of the source's setting `match`. The evidence is kept: by which identifier, which value,
and what was on the other side. A collision (one identifier, two different records; or two targets) is never decided here.
"""

from __future__ import annotations

import polars as pl

from holdfast.outcomes import Rejection

MATCHED = pl.Schema(
    {
        "record": pl.UInt32,
        "correlation_id": pl.String,
        "verdict": pl.String,  # 'new', 'update', 'unchanged', 'duplicate', 'collision' or 'stopped'
        "evidence": pl.String,  # 'ocn 12345', '' for new records
        "target": pl.String,  # instance id of the live record; null for new ones
        "other": pl.String,  # duplicate: correlation id of the record that counts; collision: the other sides
        "detail": pl.String,  # in words, for people
    }
)

SNAPSHOT_KEYS = ("control_number", "ocn", "isbn", "issn", "lccn")


def _keys(frame: pl.DataFrame, kind: str, id_column: str) -> pl.DataFrame:
    """Columns id, key: a row an identifier of that kind."""
    if kind == "control_number":
        rows = frame.filter(pl.col("control_number") != "").select(
            pl.col(id_column).alias("id"),
            # Numbers without an organization are no identity of their own: the title has to agree.
            pl.when(pl.col("control_number_org") != "")
            .then(pl.concat_str(pl.lit("("), pl.col("control_number_org"), pl.lit(")"), pl.col("control_number")))
            .otherwise(pl.concat_str(pl.col("control_number"), pl.lit(" / "), pl.col("title_key")))
            .alias("key"),
        )
    else:
        rows = frame.select(pl.col(id_column).alias("id"), pl.col(kind).alias("key")).explode("key").drop_nulls()
    return rows.unique()


def _system_keys(snapshot: pl.DataFrame) -> pl.DataFrame:
    """Columns target, key: the suppliers' numbers, which the catalogue keeps in 035."""
    numbers = (
        snapshot.select("instance_id", "title_key", pl.col("system_numbers").alias("number"))
        .explode("number")
        .drop_nulls()
    )
    return numbers.select(
        pl.col("instance_id").alias("target"),
        pl.when(pl.col("number").str.starts_with("("))
        .then(pl.col("number"))
        .otherwise(pl.concat_str(pl.col("number"), pl.lit(" / "), pl.col("title_key")))
        .alias("key"),
    )


def _within(records: pl.DataFrame, kind: str) -> pl.DataFrame:
    """Columns record, verdict, evidence, other, detail for records that share an identifier of this kind in the load."""
    keys = _keys(records, kind, "record").rename({"id": "record"})
    shared = keys.filter(pl.len().over("key") > 1)
    if not shared.height:
        return _NONE_WITHIN
    facts = records.select("record", "correlation_id", "last_modified", "title", "title_key", "content_sha256")
    rows = shared.join(facts, on="record").sort("key", "last_modified", "record", descending=[False, True, True])
    rows = rows.with_columns(
        pl.col("record").first().over("key").alias("winner"),
        pl.col("correlation_id").first().over("key").alias("winner_id"),
        pl.col("title_key").first().over("key").alias("winner_title"),
        (pl.col("title_key").n_unique().over("key") == 1).alias("one_title"),
        (pl.col("content_sha256") == pl.col("content_sha256").first().over("key")).alias("identical"),
        pl.col("record").cast(pl.String).str.join(", ").over("key").alias("all"),
        pl.col("correlation_id").str.join(",").over("key").alias("all_ids"),
    )
    # A source's own control number names one record, however its title was corrected since.
    same_record = pl.lit(True) if kind == "control_number" else pl.col("one_title")
    loser = pl.col("record") != pl.col("winner")
    verdicts = rows.filter(~same_record | loser).select(
        "record",
        pl.when(same_record).then(pl.lit("duplicate")).otherwise(pl.lit("collision")).alias("verdict"),
        pl.concat_str(pl.lit(kind + " "), pl.col("key")).alias("evidence"),
        pl.when(same_record).then(pl.col("winner_id")).otherwise(pl.col("all_ids")).alias("other"),
        pl.when(same_record & pl.col("identical"))
        .then(pl.concat_str(pl.lit("the same bytes as record "), pl.col("winner")))
        .when(same_record)
        .then(pl.concat_str(pl.lit("superseded by record "), pl.col("winner"), pl.lit(" of the same load")))
        .otherwise(
            pl.concat_str(pl.lit("records "), pl.col("all"), pl.lit(" share the identifier and differ in title"))
        )
        .alias("detail"),
    )
    # Of several verdicts a collision counts: it needs a person.
    return verdicts.sort("record", "verdict").unique("record", keep="first", maintain_order=True)


_NONE_WITHIN = pl.DataFrame(
    schema={"record": pl.UInt32, "verdict": pl.String, "evidence": pl.String, "other": pl.String, "detail": pl.String}
)


def _targets(records: pl.DataFrame, snapshot: pl.DataFrame, kinds: tuple[str, ...]) -> pl.DataFrame:
    """Columns record, targets (list, distinct), target and evidence (of the first identifier that found one)."""
    found = []
    for rank, kind in enumerate(kinds):
        ours = _keys(records, kind, "record").rename({"id": "record"})
        theirs = _keys(snapshot, kind, "instance_id").rename({"id": "target"})
        if kind == "control_number":
            theirs = pl.concat([theirs, _system_keys(snapshot)]).unique()
        hits = ours.join(theirs, on="key").with_columns(
            pl.lit(rank).alias("rank"), pl.concat_str(pl.lit(kind + " "), pl.col("key")).alias("evidence")
        )
        found.append(hits.select("record", "target", "rank", "evidence"))
    if not found:
        return pl.DataFrame(
            schema={"record": pl.UInt32, "targets": pl.List(pl.String), "target": pl.String, "evidence": pl.String}
        )
    return (
        pl.concat(found)
        .sort("record", "rank", "target")
        .group_by("record", maintain_order=True)
        .agg(
            pl.col("target").unique(maintain_order=True).alias("targets"),
            pl.col("target").first(),
            pl.col("evidence").first(),
        )
    )


def match(records: pl.DataFrame, snapshot: pl.DataFrame, kinds: tuple[str, ...]) -> pl.DataFrame:
    """A row a record, in the shape of MATCHED.

    Args:
        records: shape of `normalize.NORMALIZED` with `comparable_sha256`.
        snapshot: the live catalogue: instance_id, the identifier columns of NORMALIZED, title_key, comparable_sha256.
        kinds: identifiers to try, in order: control_number, ocn, isbn, issn, lccn.
    """
    left = records
    decided = []
    for kind in kinds:
        verdicts = _within(left, kind)
        decided.append(verdicts)
        left = left.join(verdicts, on="record", how="anti")
    inside = pl.concat(decided) if decided else _NONE_WITHIN

    targets = _targets(left, snapshot, kinds)
    rows = left.select("record", "comparable_sha256").join(targets, on="record", how="left", maintain_order="left")
    live = snapshot.select(pl.col("instance_id").alias("target"), pl.col("comparable_sha256").alias("live_sha256"))
    rows = rows.join(live, on="target", how="left", maintain_order="left")
    rows = rows.with_columns(
        pl.when(pl.col("target").is_not_null()).then(pl.len().over("target")).otherwise(1).alias("sharing")
    )
    two_targets = pl.col("targets").list.len().fill_null(0) > 1
    outside = rows.select(
        "record",
        pl.when(two_targets | (pl.col("sharing") > 1))
        .then(pl.lit("collision"))
        .when(pl.col("target").is_null())
        .then(pl.lit("new"))
        .when(pl.col("comparable_sha256") == pl.col("live_sha256"))
        .then(pl.lit("unchanged"))
        .otherwise(pl.lit("update"))
        .alias("verdict"),
        pl.col("evidence").fill_null(""),
        pl.when(two_targets).then(None).otherwise(pl.col("target")).alias("target"),
        pl.when(two_targets).then(pl.col("targets").list.join(",")).otherwise(None).alias("other"),
        pl.when(two_targets)
        .then(pl.lit("its identifiers belong to different records of the catalogue"))
        .when(pl.col("sharing") > 1)
        .then(
            pl.concat_str(
                pl.col("sharing"), pl.lit(" records of the load would change the same record of the catalogue")
            )
        )
        .otherwise(pl.lit(""))
        .alias("detail"),
    )
    verdicts = pl.concat([inside.with_columns(pl.lit(None, dtype=pl.String).alias("target")), outside], how="diagonal")
    ids = records.select("record", "correlation_id")
    return ids.join(verdicts, on="record", how="left", maintain_order="left").select(
        [pl.col(name).cast(dtype) for name, dtype in MATCHED.items()]
    )


def match_unstopped(
    records: pl.DataFrame, stopped: pl.DataFrame, snapshot: pl.DataFrame, kinds: tuple[str, ...]
) -> pl.DataFrame:
    """`match`, without the records that validation stopped: they get the verdict 'stopped', and stand for no other record.

    stopped: columns record, detail.
    """
    matched = match(records.join(stopped, on="record", how="anti", maintain_order="left"), snapshot, kinds)
    rest = records.select("record", "correlation_id").join(stopped.select("record", "detail"), on="record", how="inner")
    verdicts = rest.with_columns(pl.lit("stopped").alias("verdict"), pl.lit("").alias("evidence"))
    return pl.concat([matched, verdicts.match_to_schema(MATCHED, missing_columns="insert")]).sort("record")


def collisions(matched: pl.DataFrame, records: pl.DataFrame) -> list[Rejection]:
    """The quarantine entries of the records in collision, each naming the other sides."""
    facts = records.select("record", "file", "content_sha256", "title")
    rows = matched.filter(pl.col("verdict") == "collision").join(facts, on="record", how="left", maintain_order="left")
    return [
        Rejection(
            code="match.collision",
            place=f"{row['file']} record {row['record']} ({(row['title'] or '')[:80]}): {row['evidence']}: {row['detail']}",
            rule="one identifier names one record: neither two records of a load nor two of the catalogue may share it",
            hint=f"other sides: {row['other'] or row['target']}. Correct the wrong identifier at the vendor or in the catalogue, "
            "or take the identifier out of the source's `match`, then materialize again",
            correlation_id=row["correlation_id"],
            sha256=row["content_sha256"],
        )
        for row in rows.iter_rows(named=True)
    ]
