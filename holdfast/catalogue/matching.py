"""Each incoming record against the others of its load and against the catalogue.

Keys are tried in the order of the source's setting `match`. All evidence is kept: by which key, which value, what else
agrees with the other side and what does not. A collision (one identifier, two different records; or two targets) is never
decided here. A key that names what was published, not a record, joins no two records that are known to be on different carriers.

Joins over columns: of the catalogue no more than two columns are looked at at once, part by part, and of its records only
those that a key leads to are ever in memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import polars as pl

from holdfast.catalogue import by_carrier
from holdfast.catalogue.evidence import IDENTIFIERS, compared, facts_of, keys_of

# The code of this module: a change of what it makes is a change of this number (assets carry it as their code_version).
VERSION = "3"

_Columns = dict[str, pl.DataType | type[pl.DataType]]

_MATCHED: _Columns = {
    "record": pl.UInt32,
    "correlation_id": pl.String,
    "verdict": pl.String,  # 'new', 'update', 'unchanged', 'duplicate', 'collision' or 'stopped'
    "matched_by": pl.String,  # kind of the key that decided: 'ocn'; '' for new records
    "evidence": pl.String,  # that key with its value: 'ocn 12345'; '' for new records
    "agreed": pl.List(pl.String),  # keys that agree with the other side: of evidence.COMPARED
    "disagreed": pl.List(pl.String),  # keys that both sides have and that differ
    "target": pl.String,  # instance id of the live record; null for new ones
    "other": pl.String,  # duplicate: correlation id of the record that counts; collision: the other sides
    "detail": pl.String,  # in words, for people
}
MATCHED = pl.Schema(_MATCHED)

# A row a side of a collision: the incoming record's own (side 0), then what it collides with.
_SIDES: _Columns = {
    "record": pl.UInt32,
    "side": pl.UInt32,
    "held_in": pl.String,  # 'load' or 'catalogue'
    "id": pl.String,  # correlation id or instance id
    "number": pl.String,  # record number in the window, or the live record's number for people
    "evidence": pl.String,  # the key that both share; '' for the record itself
    "control_number": pl.String,
    "title": pl.String,
    "author": pl.String,
    "year": pl.Int32,
    "agreed": pl.List(pl.String),
    "disagreed": pl.List(pl.String),
    "target": pl.String,  # the live record that this side would change
}
SIDES = pl.Schema(_SIDES)

# What matching reads of a record and of the catalogue, and nothing else.
RECORD_COLUMNS = (
    *("record", "correlation_id", "file", "last_modified", "content_sha256", "comparable_sha256"),
    *("control_number", "control_number_org", "ocn", "isbn", "issn", "lccn"),
    *("title", "title_key", "author", "author_key", "year", "carrier"),
)
_LIVE_COLUMNS = (
    *("instance_id", "hrid", "comparable_sha256", "control_number", "control_number_org", "system_numbers"),
    *("ocn", "isbn", "issn", "lccn", "title", "title_key", "author", "author_key", "year", "carrier"),
)
# Of a group that collides so many others are shown; the group may be a set of hundreds of volumes under one ISBN.
SIDES_SHOWN = 10

_PUBLICATION = ("isbn", "issn", "lccn")  # name what was published; a control number and an OCN name a record
NAMES_A_PUBLICATION = (*_PUBLICATION, "title")
_HIT = pl.Schema({"record": pl.UInt32, "target": pl.String, "rank": pl.Int32, "key": pl.String})
_PAIR = pl.Schema({"record": pl.UInt32, "held_in": pl.String, "id": pl.String, "evidence": pl.String})
_DECIDED = pl.Schema(
    {
        "record": pl.UInt32,
        "verdict": pl.String,
        "matched_by": pl.String,
        "evidence": pl.String,
        "target": pl.String,
        "other": pl.String,
        "detail": pl.String,
    }
)


class Matches(NamedTuple):
    """rows: shape MATCHED, a row a record. sides: shape SIDES, of the records in collision."""

    rows: pl.DataFrame
    sides: pl.DataFrame


def _shaped(frame: pl.DataFrame, schema: pl.Schema) -> pl.DataFrame:
    """`frame` with the columns of `schema`; what is not there is null."""
    return frame.select(
        (pl.col(name) if name in frame.columns else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in schema.items()
    )


def _groups(records: pl.DataFrame, kind: str) -> pl.DataFrame:
    """Rows record, key, part, winner … of the records that share a key of this kind with another one, the winner of each key first:
    the newest (005, then the later one). Those on different carriers are parts for themselves where the key names a publication;
    `unsure` are then those that don't say on which they are, beside all the others."""
    keys = keys_of(records.lazy(), kind, "record").unique().collect()
    shared = keys.filter(pl.col("key").is_duplicated()).rename({"id": "record"})
    facts = records.select(
        *("record", "correlation_id", "last_modified", "title_key", "content_sha256", "comparable_sha256", "carrier")
    )
    rows = shared.join(facts, on="record").sort("key", "last_modified", "record", descending=[False, True, True])
    rows = by_carrier.parted(rows) if kind in NAMES_A_PUBLICATION else by_carrier.whole(rows)
    firsts = (
        pl.col("record").first().alias("winner"),
        pl.col("correlation_id").first().alias("winner_id"),
        pl.col("content_sha256").first().alias("winner_content"),
        pl.col("comparable_sha256").first().alias("winner_comparable"),
        (pl.col("title_key").n_unique() == 1).alias("one_title"),
    )
    everyone = (
        pl.col("record").head(SIDES_SHOWN + 1).alias("members"),
        pl.col("correlation_id").head(SIDES_SHOWN + 1).alias("member_ids"),
        pl.len().alias("size"),
    )
    unsure, rows_of_parts = rows.filter("unsure"), rows.filter(~pl.col("unsure"))
    heads = rows_of_parts.group_by("key", "part", maintain_order=True).agg(*firsts, *everyone)
    found = rows_of_parts.join(heads.filter(pl.col("size") > 1), on=["key", "part"], maintain_order="left")
    if not unsure.height:
        return found
    newest = rows_of_parts.group_by("key", maintain_order=True).agg(*firsts)
    beside = unsure.join(newest, on="key").join(rows.group_by("key", maintain_order=True).agg(*everyone), on="key")
    return pl.concat([found, beside])


def _within(records: pl.DataFrame, kind: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(shape _DECIDED, shape _PAIR) of the records that share an identifier of this kind in the load."""
    rows = _groups(records, kind)
    # A source's own control number names one record, however its title was corrected since.
    same_record = pl.lit(True) if kind == "control_number" else pl.col("one_title")
    return _verdicts_within(rows, kind, same_record, "share the identifier and differ in title")


def _within_by_title(records: pl.DataFrame, facts: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Likewise for records that share title, author and date and that no identifier sets apart: the same content is a
    duplicate, else a person decides."""
    rows = _groups(records, "title")
    others = rows.filter(pl.col("record") != pl.col("winner")).select("key", "record", "winner")
    pairs = compared(_joined(others, facts, facts, "record", "winner"))
    apart = pairs.filter(pl.col("disagreed").list.set_intersection(list(IDENTIFIERS)).list.len() > 0)
    rows = rows.join(apart.select("key", "record"), on=["key", "record"], how="anti", maintain_order="left")
    rows = rows.filter(pl.col("unsure") | (pl.len().over("key", "part") > 1))
    same = (pl.col("comparable_sha256") == pl.col("winner_comparable")).all().over("key", "part")
    return _verdicts_within(
        rows, "title", same, "share title, author and date, and no identifier says whether they are one"
    )


def _verdicts_within(
    rows: pl.DataFrame, kind: str, same_record: pl.Expr, collide: str
) -> tuple[pl.DataFrame, pl.DataFrame]:
    same_record &= ~pl.col("unsure")
    rows = rows.with_columns(same_record.alias("same"), pl.concat_str(pl.lit(f"{kind} "), "key").alias("evidence"))
    listed = pl.col("members").cast(pl.List(pl.String)).list.join(", ")
    more = pl.when(pl.col("size") > SIDES_SHOWN + 1).then(
        pl.concat_str(pl.lit(" and "), pl.col("size") - SIDES_SHOWN - 1, pl.lit(" more"))
    )
    why = pl.when("unsure").then(pl.lit(by_carrier.UNSURE)).otherwise(pl.lit(collide))
    identical = pl.col("content_sha256") == pl.col("winner_content")
    verdicts = rows.filter(~pl.col("same") | (pl.col("record") != pl.col("winner"))).select(
        "record",
        "key",
        pl.when("same").then(pl.lit("duplicate")).otherwise(pl.lit("collision")).alias("verdict"),
        pl.lit(kind).alias("matched_by"),
        "evidence",
        pl.when("same").then("winner_id").otherwise(pl.col("member_ids").list.join(",")).alias("other"),
        pl.when(pl.col("same") & identical)
        .then(pl.concat_str(pl.lit("the same bytes as record "), "winner"))
        .when("same")
        .then(pl.concat_str(pl.lit("superseded by record "), "winner", pl.lit(" of the same load")))
        .otherwise(pl.concat_str(pl.lit("records "), listed, more.fill_null(""), pl.lit(" "), why))
        .alias("detail"),
        "member_ids",
        "correlation_id",
    )
    # Of several verdicts a collision counts: it needs a person.
    verdicts = verdicts.sort("record", "verdict", "key").unique("record", keep="first", maintain_order=True)
    sides = (
        verdicts.filter(pl.col("verdict") == "collision")
        .select("record", "correlation_id", "evidence", pl.lit("load").alias("held_in"), id="member_ids")
        .explode("id")
        .filter(pl.col("id") != pl.col("correlation_id"))
    )
    return _shaped(verdicts, _DECIDED), _shaped(sides, _PAIR)


def _root(decided: pl.DataFrame, ids: pl.DataFrame) -> pl.DataFrame:
    """`decided` whose duplicates name the record that counts, not one that is a duplicate itself. The winner of a key is
    always newer, so the way ends."""
    links = dict(
        decided.filter(pl.col("verdict") == "duplicate")
        .join(ids, on="record")
        .select("correlation_id", "other")
        .iter_rows()
    )
    further = {other for other in links.values() if other in links}
    if not further:
        return decided
    roots = {}
    for each in further:
        last = each
        while last in links:
            last = links[last]
        roots[each] = last
    is_duplicate = pl.col("verdict") == "duplicate"
    return decided.with_columns(
        pl.when(is_duplicate).then(pl.col("other").replace(roots)).otherwise("other").alias("other")
    )


def _hits(records: pl.DataFrame, snapshot: pl.LazyFrame, kind: str, rank: int) -> pl.DataFrame:
    """Shape _HIT: which live records the records' keys of this kind lead to."""
    ours = keys_of(records.lazy(), kind, "record").rename({"id": "record"}).collect()
    if not ours.height:
        return pl.DataFrame(schema=_HIT)
    theirs = keys_of(snapshot, kind, "instance_id", live=True).rename({"id": "target"})
    # A filter streams: of the catalogue, what has none of our keys is never held (a join would hold it all).
    wanted = ours["key"].unique().implode()
    hits = theirs.filter(pl.col("key").is_in(wanted)).unique().collect(engine="streaming").join(ours.unique(), on="key")
    return _shaped(
        hits.with_columns(pl.lit(rank).alias("rank"), pl.concat_str(pl.lit(f"{kind} "), "key").alias("key")), _HIT
    )


def _live_facts(snapshot: pl.LazyFrame, targets: pl.Series) -> pl.DataFrame:
    return snapshot.filter(pl.col("instance_id").is_in(targets.unique().implode())).collect(engine="streaming")


def _joined(pairs: pl.DataFrame, left: pl.DataFrame, right: pl.DataFrame, ours: str, theirs: str) -> pl.DataFrame:
    """`pairs` with the facts of both sides, as `evidence.compared` wants them."""
    others = right.rename({name: f"{name}_other" for name in right.columns if name != "id"})
    with_ours = pairs.join(left, left_on=ours, right_on="id", how="left", maintain_order="left")
    return with_ours.join(others, left_on=theirs, right_on="id", how="left", maintain_order="left")


def _against(
    hits: pl.DataFrame, records: pl.DataFrame, live: pl.DataFrame, ours: pl.DataFrame, theirs: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """(shape _DECIDED, shape _PAIR, columns record, agreed and disagreed) of the records whose keys lead to live ones; `ours` and
    `theirs` are the facts of both."""
    best = hits.sort("record", "rank", "target", "key").unique(["record", "target"], keep="first", maintain_order=True)
    # A key that names nothing ('n/a') may lead to very many; the first are shown.
    pairs = best.filter(pl.int_range(pl.len()).over("record") <= SIDES_SHOWN).select("record", "target", "key")
    targets = pairs.group_by("record", maintain_order=True).agg(
        pl.col("target").alias("targets"), pl.col("target").first(), pl.col("key").first()
    )
    rows = targets.join(records.select("record", "correlation_id", "comparable_sha256"), on="record", how="left")
    hashes = live.select(target="instance_id", live_sha256="comparable_sha256")
    rows = rows.join(hashes, on="target", how="left").sort("record")

    facts = compared(_joined(rows.select("record", "target"), ours, theirs, "record", "target"))
    differs = pl.col("disagreed").list.contains
    another = facts.select(
        "record",
        (
            (pl.col("agreed").list.set_intersection(["control_number", "ocn"]).list.len() == 0)
            & (pl.col("agreed").list.set_intersection(list(_PUBLICATION)).list.len() > 0)
            & differs("title")
            & (differs("author") | differs("year"))
        ).alias("another"),
    )
    rows = rows.join(another, on="record", how="left", maintain_order="left").with_columns(
        (pl.col("targets").list.len() > 1).alias("two"), pl.len().over("target").alias("sharing")
    )
    two, shared, other = pl.col("two"), pl.col("sharing") > 1, pl.col("another")
    decided = rows.select(
        "record",
        pl.when(two | shared | other)
        .then(pl.lit("collision"))
        .when(pl.col("comparable_sha256") == pl.col("live_sha256"))
        .then(pl.lit("unchanged"))
        .otherwise(pl.lit("update"))
        .alias("verdict"),
        pl.col("key").str.split(" ").list.first().alias("matched_by"),
        pl.col("key").alias("evidence"),
        pl.when(~two).then("target").alias("target"),
        pl.when(two).then(pl.col("targets").list.join(",")).alias("other"),
        pl.when(two)
        .then(pl.lit("its identifiers belong to different records of the catalogue"))
        .when(shared)
        .then(pl.concat_str("sharing", pl.lit(" records of the load would change the same record of the catalogue")))
        .when(other)
        .then(pl.lit("the record of the catalogue with this identifier has another title, and another author or year"))
        .otherwise(pl.lit(""))
        .alias("detail"),
    )
    collided = decided.filter(pl.col("verdict") == "collision").select("record")
    catalogue = pairs.join(collided, on="record", how="semi").select(
        "record", pl.lit("catalogue").alias("held_in"), id="target", evidence="key"
    )
    sides = pl.concat([_shaped(catalogue, _PAIR), _sharing(rows)])
    return _shaped(decided, _DECIDED), sides, facts.select("record", "agreed", "disagreed")


def _sharing(rows: pl.DataFrame) -> pl.DataFrame:
    """Shape _PAIR: the other records of the load that would change the same live one."""
    groups = rows.filter(pl.col("sharing") > 1).select("record", "correlation_id", "target", "key")
    members = (
        groups.sort("target", "record")
        .group_by("target", maintain_order=True)
        .agg(
            pl.col("correlation_id").head(SIDES_SHOWN + 1).alias("id"),
            pl.col("key").head(SIDES_SHOWN + 1).alias("evidence"),
        )
    )
    others = groups.drop("key").join(members, on="target").explode("id", "evidence")
    others = others.filter(pl.col("id") != pl.col("correlation_id")).with_columns(pl.lit("load").alias("held_in"))
    return _shaped(others, _PAIR)


def match(
    records: pl.DataFrame,
    snapshot: pl.DataFrame | pl.LazyFrame,
    kinds: Sequence[str],
    *,
    across_carriers: bool = False,
) -> Matches:
    """What each record is to its load and to the catalogue.

    Args:
        records: RECORD_COLUMNS at least (shape of `window.RECORDS`).
        snapshot: the live catalogue, shape of `catalogue.snapshot.RECORDS`; a scan of its files is read in parts.
        kinds: keys to try, in order: control_number, ocn, isbn, issn, lccn, and last title.
        across_carriers: whether an ISBN, ISSN, LCCN or title joins an electronic record to a printed one, too.
    """
    snapshot = by_carrier.with_carrier(snapshot.lazy(), unknown=across_carriers)
    columns = snapshot.collect_schema().names()
    snapshot = snapshot.select([each for each in _LIVE_COLUMNS if each in columns])
    records = by_carrier.with_carrier(records.lazy(), unknown=across_carriers).select(RECORD_COLUMNS).collect()
    records = records.sort("record")
    weak = [rank for rank, kind in enumerate(kinds) if kind in NAMES_A_PUBLICATION]
    identifiers = [kind for kind in kinds if kind != "title"]
    ours = facts_of(records, "record")
    left, decided, pairs = records, [], []
    for kind in identifiers:
        verdicts, sides = _within(left, kind)
        decided.append(verdicts)
        pairs.append(sides)
        left = left.join(verdicts, on="record", how="anti", maintain_order="left")
    hits = [_hits(left, snapshot, kind, rank) for rank, kind in enumerate(identifiers)]
    found = pl.concat([pl.DataFrame(schema=_HIT), *hits])
    live = _live_facts(snapshot, found["target"])
    found, refused = by_carrier.sifted(found, weak, records, live)
    if "title" in kinds:
        rest = left.join(found, on="record", how="anti", maintain_order="left")
        by_title = _hits(rest, snapshot, "title", len(identifiers))
        its_live = _live_facts(snapshot, by_title["target"])
        by_title, more = by_carrier.sifted(by_title, weak, records, its_live)
        refused = pl.concat([refused, more])
        by_title = _not_set_apart(by_title, ours, facts_of(its_live, "instance_id", live=True))
        rest = rest.join(by_title, on="record", how="anti", maintain_order="left")
        verdicts, sides = _within_by_title(rest, ours)
        decided.append(verdicts)
        pairs.append(sides)
        found = pl.concat([found, by_title])
        live = pl.concat([live, its_live]).unique("instance_id", maintain_order=True)
    theirs = facts_of(live, "instance_id", live=True)
    verdicts, sides, evidence = _against(found, left, live, ours, theirs)
    decided.append(verdicts)
    pairs.append(sides)

    ids = records.select("record", "correlation_id")
    rows = _root(pl.concat([pl.DataFrame(schema=_DECIDED), *decided]), ids)
    rows = ids.join(rows, on="record", how="left", maintain_order="left").with_columns(
        pl.col("verdict").fill_null("new"), pl.col("matched_by", "evidence", "detail").fill_null("")
    )
    rows = by_carrier.told(rows, refused)
    in_load = ours.rename({"id": "record"}).join(ids, on="record").drop("record").rename({"correlation_id": "id"})
    all_sides = _sides(pl.concat(pairs), records, live, rows, (ours, in_load, theirs))
    return Matches(_with_evidence(rows, all_sides, evidence, ours, in_load), all_sides)


def match_unstopped(
    records: pl.DataFrame,
    stopped: pl.DataFrame,
    snapshot: pl.DataFrame | pl.LazyFrame,
    kinds: Sequence[str],
    *,
    across_carriers: bool = False,
) -> Matches:
    """`match`, without the records that validation stopped: they get the verdict 'stopped', and stand for no other record.

    stopped: columns record, detail.
    """
    others = records.join(stopped, on="record", how="anti", maintain_order="left")
    found = match(others, snapshot, kinds, across_carriers=across_carriers)
    rest = records.select("record", "correlation_id").join(stopped.select("record", "detail"), on="record", how="inner")
    empty = pl.lit([], dtype=pl.List(pl.String))
    verdicts = rest.with_columns(
        pl.lit("stopped").alias("verdict"),
        *(pl.lit("").alias(name) for name in ("matched_by", "evidence")),
        *(empty.alias(name) for name in ("agreed", "disagreed")),
    )
    return found._replace(rows=pl.concat([found.rows, _shaped(verdicts, MATCHED)]).sort("record"))


def _not_set_apart(hits: pl.DataFrame, ours: pl.DataFrame, theirs: pl.DataFrame) -> pl.DataFrame:
    """The hits by title whose two sides no identifier sets apart: another OCN or ISBN is another record."""
    pairs = compared(_joined(hits.select("record", "target").unique(), ours, theirs, "record", "target"))
    apart = pairs.filter(pl.col("disagreed").list.set_intersection(list(IDENTIFIERS)).list.len() > 0)
    return hits.join(apart, on=["record", "target"], how="anti")


def _with_evidence(
    rows: pl.DataFrame, sides: pl.DataFrame, evidence: pl.DataFrame, ours: pl.DataFrame, in_load: pl.DataFrame
) -> pl.DataFrame:
    """`rows` with agreed and disagreed, in the shape of MATCHED: beside the target, the record that counts, or the first of
    the other sides."""
    held = rows.filter(pl.col("verdict").is_in(["update", "unchanged"])).select("record")
    counts = rows.filter(pl.col("verdict") == "duplicate").select("record", id="other")
    names = ["record", "agreed", "disagreed"]
    found = pl.concat(
        [
            evidence.join(held, on="record", how="semi"),
            compared(_joined(counts, ours, in_load, "record", "id")).select(names),
            sides.filter(pl.col("side") == 1).select(names),
        ]
    )
    empty = pl.lit([], dtype=pl.List(pl.String))
    whole = rows.join(found, on="record", how="left", maintain_order="left")
    return _shaped(whole.with_columns(pl.col("agreed", "disagreed").fill_null(empty)), MATCHED)


def _sides(
    pairs: pl.DataFrame,
    records: pl.DataFrame,
    live: pl.DataFrame,
    rows: pl.DataFrame,
    facts: tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame],
) -> pl.DataFrame:
    """Shape SIDES of the records in collision; `facts`: of the load by record and by correlation id, and of the live ones."""
    collided = rows.filter(pl.col("verdict") == "collision").select("record", own_target="target")
    if not collided.height:
        return pl.DataFrame(schema=SIDES)
    pairs = pairs.join(collided, on="record", how="semi").unique(
        ["record", "held_in", "id"], keep="first", maintain_order=True
    )
    targets = rows.select("correlation_id", "target")
    in_load = records.select(
        pl.col("correlation_id").alias("id"), pl.col("record").cast(pl.String).alias("number"), "control_number",
        "title", "author", "year",
    ).join(targets, left_on="id", right_on="correlation_id", how="left")  # fmt: skip
    in_catalogue = live.select(
        pl.col("instance_id").alias("id"), pl.col("hrid").alias("number"), "control_number", "title", "author", "year",
        pl.col("instance_id").alias("target"),
    )  # fmt: skip
    ours, of_load, of_catalogue = facts
    sides = []
    for held_in, shown, theirs in (("load", in_load, of_load), ("catalogue", in_catalogue, of_catalogue)):
        chosen = pairs.filter(pl.col("held_in") == held_in)
        evidence = compared(_joined(chosen, ours, theirs, "record", "id")).select(*_PAIR, "agreed", "disagreed")
        sides.append(_shaped(evidence.join(shown, on="id", how="left"), SIDES))
    own = collided.join(records.select("record", id="correlation_id"), on="record").join(in_load, on="id")
    own = _shaped(own.with_columns(pl.lit("load").alias("held_in"), pl.lit("").alias("evidence")), SIDES)
    empty = pl.lit([], dtype=pl.List(pl.String))
    whole = pl.concat([own.with_columns(pl.lit(0, pl.UInt32).alias("side")), *sides])
    # What is in the catalogue comes first: it is what would be changed.
    order = ["record", pl.col("side").is_null(), "held_in", "number", "id"]
    whole = whole.sort(order, maintain_order=True).with_columns(
        pl.int_range(pl.len(), dtype=pl.UInt32).over("record").alias("side"),
        pl.col("agreed", "disagreed").fill_null(empty),
    )
    return _shaped(whole, SIDES)
