"""`museum_export`: the files of a collection's export, as received."""

import dagster as dg
import polars as pl

from catalog_assets.partitions import EXPORTS, export_of
from resources.lake.client import Lake
from resources.lake.metadata import table_metadata
from resources.museum_exports.client import MuseumExports, ReceivedFile
from resources.repositories.client import Repositories

ASSET = "museum_export"
COLUMNS: dict[str, tuple[pl.DataType, str]] = {
    "name": (pl.String(), "name of the file in the drop folder"),
    "bytes": (pl.Int64(), "its length"),
    "sha256": (pl.String(), "hex, of its bytes"),
    "modified_ns": (pl.Int64(), "its last change in the drop folder, nanoseconds since 1970-01-01 UTC"),
    "path": (pl.String(), "of the copy, below VAR"),
}


def received_files(lake: Lake, partition: str) -> list[ReceivedFile]:
    """The rows of the partition; none where it was never materialized."""
    if not lake.exists(ASSET, partition):
        return []
    return [ReceivedFile(**row) for row in lake.read(ASSET, partition).iter_rows(named=True)]


@dg.asset(
    name=ASSET,
    partitions_def=EXPORTS,
    group_name="museum",
    owners=["team:museum"],
    kinds={"file"},
    code_version="1",
    description="Export files of the collection's system that were last changed on the partition's day (of a collection that "
    "is harvested by OAI-PMH: the file that the harvest makes), copied with "
    "their SHA-256 and read back; a row a file. Stays complete when the drop folder is cleaned.",
)
def museum_export(
    context: dg.AssetExecutionContext,
    lake: dg.ResourceParam[Lake],
    museum_exports: dg.ResourceParam[MuseumExports],
    repositories: dg.ResourceParam[Repositories],
) -> dg.MaterializeResult:
    collection, day = export_of(context)
    harvested = repositories.harvest_export(museum_exports, collection, day)
    files = museum_exports.receive(collection, day, received_files(lake, context.partition_key))
    if not files:
        raise dg.Failure(
            f"{museum_exports.folder(collection)}: no file that matches "
            f"{museum_exports.collection(collection).pattern!r} was changed on {day}; put the export there",
            allow_retries=False,
        )
    frame = pl.DataFrame([vars(each) for each in files], schema={name: dtype for name, (dtype, _) in COLUMNS.items()})
    with lake.replace(ASSET, context.partition_key) as writer:
        writer.write("rows", frame)
    return dg.MaterializeResult(
        metadata=table_metadata(
            frame.height,
            COLUMNS,
            bytes=int(frame["bytes"].sum()),
            **({"deleted_at_source": harvested.deleted} if harvested else {}),
            files=dg.MetadataValue.md("\n".join(f"- {each.name}: `{each.sha256}`" for each in files[:50])),
        )
    )
