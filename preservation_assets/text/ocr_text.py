"""Asset `ocr_text`."""

import dagster as dg
import polars as pl

from holdfast.outcomes import Rejection
from holdfast.preservation.events import NewEvent
from holdfast.preservation.ocr import check_languages, words_frame
from holdfast.preservation.page_image import PageFault
from holdfast.preservation.reading import TEXTS, in_blocks, join_technical, read_texts, text_event, text_row
from preservation_assets.materialization import table_metadata
from preservation_assets.partitions import BATCHES
from resources.lake.client import Lake, PartitionWriter
from resources.masters.client import Masters
from resources.postgres.client import Postgres
from resources.postgres.preservation_record import PreservationRecord
from resources.scans.client import Scans


@dg.asset(
    deps=["verified_masters", "technical_metadata"],
    partitions_def=BATCHES,
    group_name="text",
    owners=["team:digitization"],
    kinds={"tesseract", "parquet"},
    code_version="1",
    op_tags={"dagster-celery/queue": "compute_intensive"},
    description="Text of every master with Tesseract. A row is a page: text (NFC), confidence, hOCR, ALTO; table `words` has each "
    "word with its place and confidence. A blank page has no words and is no error.",
)
def ocr_text(
    context: dg.AssetExecutionContext,
    lake: dg.ResourceParam[Lake],
    postgres: dg.ResourceParam[Postgres],
    scans: dg.ResourceParam[Scans],
    masters: dg.ResourceParam[Masters],
) -> dg.MaterializeResult:
    batch = context.partition_key
    technical = lake.read("technical_metadata", batch)
    pages, rejections = join_technical(batch, lake.read("verified_masters", batch), technical)
    with lake.replace("ocr_text", batch) as writer:
        events = _read_and_write(writer, batch, pages, rejections, lake, scans, masters)
        words = writer.rows["words"]
    head = PreservationRecord(postgres, "ocr_text", batch, context.run.run_id).keep(rejections, events)
    metadata = table_metadata(pages.height, TEXTS, words=words, rejections=len(rejections), events_head=head)
    return dg.MaterializeResult(metadata=metadata)


def _read_and_write(
    writer: PartitionWriter,
    batch: str,
    pages: pl.DataFrame,
    rejections: list[Rejection],
    lake: Lake,
    scans: Scans,
    masters: Masters,
) -> list[NewEvent]:
    """Each page's text as it comes; what Tesseract gave up joins `rejections`."""
    about = lake.read("batch_manifests", batch, "batch").row(0, named=True)
    languages = scans.languages(about["scanner_id"])
    agent = f"Tesseract {check_languages(languages)}"
    ended = pages.filter(pl.col("outcome").is_not_null())
    writer.write("rows", pl.DataFrame(ended.to_dicts(), schema=TEXTS))
    writer.write("words", words_frame(0, []))
    events: list[NewEvent] = []
    with scans.images() as images:
        for block in in_blocks(read_texts(batch, pages, languages, about["resolution_dpi"], masters, images)):
            rows, words = [], [words_frame(0, [])]
            for page, text in block:
                row, rejection = text_row(batch, page, text, languages)
                rows.append(row)
                if rejection:
                    rejections.append(rejection)
                elif not isinstance(text, PageFault):
                    words.append(words_frame(page["page"], text.words))
                    events.append(text_event(row, agent))
            writer.write("rows", pl.DataFrame(rows, schema=TEXTS))
            writer.write("words", pl.concat(words))
    return events
