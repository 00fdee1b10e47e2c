"""`authority_records` in the lake: written part by part, read by the keys that are needed."""

from __future__ import annotations

from typing import NamedTuple

import polars as pl

from holdfast.authority.headings import HEADINGS, headings
from holdfast.authority.linking import AUTHORITY_LINKS, candidate_keys, link, lookup
from holdfast.authority.records import AUTHORITIES, REFERENCES, AuthorityFile, nothing, superseded
from holdfast.outcomes import Rejection
from resources.authorities.client import AuthorityFolder
from resources.lake.client import Lake, NotMaterialized

ASSET = "authority_records"
_IDS = ["authority", "last_modified", "file", "record"]


class LoadedAuthorities(NamedTuple):
    """records: came in. authorities: each once. superseded: older records of the same authority."""

    records: int
    authorities: int
    superseded: int
    files: list[str]
    rejections: list[Rejection]


def load_authorities(lake: Lake, folder: AuthorityFolder) -> LoadedAuthorities:
    """All files of the settings into the lake: `rows` (shape AUTHORITIES), `references` (shape REFERENCES), and in
    `superseded` (file, record) the rows that a newer record replaces."""
    records, files, rejections = 0, [], []
    ids = [nothing().authorities.select(_IDS)]
    with lake.replace(ASSET) as writer:
        writer.write("rows", pl.DataFrame(schema=AUTHORITIES))
        writer.write("references", pl.DataFrame(schema=REFERENCES))
        for name in folder.names():
            for file in folder.listing(name):
                files.append(f"{name}/{file.name}")
                for part in folder.read(name, file):
                    records += part.records
                    rejections += part.rejections
                    if part.found.authorities.height:
                        writer.write("rows", part.found.authorities)
                        writer.write("references", part.found.references)
                        ids.append(part.found.authorities.select(_IDS))
        gone = superseded(pl.concat(ids))
        writer.write("superseded", gone)
    return LoadedAuthorities(records, writer.rows["rows"] - gone.height, gone.height, files, rejections)


def _tables(lake: Lake) -> tuple[pl.LazyFrame, pl.LazyFrame]:
    """(rows, references) of the authorities that count."""
    gone = lake.scan(ASSET, table="superseded")
    rows, references = (
        lake.scan(ASSET, table=table).join(gone, on=["file", "record"], how="anti") for table in ("rows", "references")
    )
    return rows, references


def read_all(lake: Lake) -> AuthorityFile:
    """Every authority; where none was ever loaded, none."""
    try:
        rows, references = _tables(lake)
    except NotMaterialized:
        return nothing()
    return AuthorityFile(rows.collect(), references.collect(), nothing().rejected)


def read_for(lake: Lake, keys: pl.Series) -> AuthorityFile:
    """What the authorities have under these keys, established or as see-from references, and the subdivisions. Memory goes by
    the keys, not by the files."""
    try:
        rows, references = _tables(lake)
    except NotMaterialized:
        return nothing()
    wanted = pl.col("key").is_in(keys.implode())
    found = references.filter((pl.col("reference") == "see from") & wanted).collect(engine="streaming")
    named = pl.col("authority").is_in(found["authority"].unique().implode())
    chosen = rows.filter(wanted | named | pl.col("tag").str.starts_with("18")).collect(engine="streaming")
    return AuthorityFile(chosen, found, nothing().rejected)


def link_window(lake: Lake, partition: str) -> dict[str, int]:
    """`authority_links` of a partition of normalized_records: `rows` (shape AUTHORITY_LINKS); how many of each verdict."""
    parts = lake.batches("normalized_records", partition, "subfields")
    keys = pl.Series("key", [], dtype=pl.String)
    for subfields in parts:
        keys = pl.concat([keys, candidate_keys(headings(subfields))]).unique()
    authorities = read_for(lake, keys)
    known = lookup(authorities)
    counts: dict[str, int] = {}
    with lake.replace("authority_links", partition) as writer:
        writer.write("rows", pl.DataFrame(schema=AUTHORITY_LINKS))
        for subfields in lake.batches("normalized_records", partition, "subfields"):
            found = headings(subfields)
            links = link(found if found.height else pl.DataFrame(schema=HEADINGS), authorities, known)
            writer.write("rows", links)
            for verdict, count in links.group_by("verdict").len().iter_rows():
                counts[verdict] = counts.get(verdict, 0) + count
    return dict(sorted(counts.items()))
