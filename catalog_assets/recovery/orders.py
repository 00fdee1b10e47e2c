"""What every form of recovery asks: who, and why. And the window that a run is about."""

from enum import Enum
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

from catalog_assets.partitions import SETTINGS
from holdfast.environment import read_environment
from holdfast.privacy.masking import MaskingRules
from resources.ledger.replaying import Order

# Queues of the Celery workers (deploy/celery); without a broker they name the kind of work all the same.
QUEUES = (
    *("marc21.parse", "ils.sync.holdings", "circulation.delta.apply", "ingestion_high", "iiif.validate"),
    *("compute_intensive", "io_bound", "default"),
)
# Runs of one ILS go one after the other (dagster.yaml, tag_concurrency_limits): each must see what the one before wrote.
WRITES = {"holdfast/writes-to": "ils", "dagster-celery/queue": "ils.sync.holdings"}
READS = {"dagster-celery/queue": "default"}
RULES = MaskingRules(SETTINGS.masking.fields, SETTINGS.masking.notes_when_private)


class Scope(Enum):
    """What a halt is about."""

    all = "all"
    source = "source"
    queue = "queue"


if TYPE_CHECKING:

    class SourceName(Enum):
        none = "none"

    class QueueName(Enum):
        none = "none"
else:  # the names of holdfast.toml and of the queues, so that the form offers them
    SourceName = Enum("SourceName", {name: name for name in ("none", *sorted({*SETTINGS.sources, *SETTINGS.feeds}))})
    QueueName = Enum("QueueName", {name: name for name in ("none", *QUEUES)})


class Ordered(dg.Config):
    """A form that is signed."""

    who: str = Field(min_length=1, description="your name: it is kept with what is done")
    why: str = Field(min_length=1, description="the reason, for whoever reads it later; a ticket's number is fine")

    def order(self, run_id: str) -> Order:
        return Order(self.who.strip(), self.why.strip(), run_id)


def salt() -> bytes:
    return read_environment().need("HOLDFAST_MASKING_SALT").encode()


def window_of(context: dg.OpExecutionContext) -> tuple[str, str]:
    """(source or feed, partition key) of the run."""
    key = context.partition_key
    source = key.keys_by_dimension["source"] if isinstance(key, dg.MultiPartitionKey) else key.split("|")[1]
    return source, str(key)


def commits_of(source: str) -> str:
    """The asset that says what became of a window of this source or feed."""
    return "feed_commits" if source in SETTINGS.feeds else "ils_commits"
