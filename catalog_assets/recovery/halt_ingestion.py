"""`halt_ingestion`: nothing of a source, a queue or all is begun any more, and what writes stops after its chunk."""

import dagster as dg
from pydantic import Field

from catalog_assets.recovery.orders import READS, Ordered, QueueName, Scope, SourceName
from resources.postgres.client import Postgres
from resources.postgres.halts import Halts


class Halt(Ordered):
    """What is halted. `source` and `queue` count where the scope names them."""

    scope: Scope = Field(
        default=Scope.source, description="all, one source (then `source`) or one queue (then `queue`)"
    )
    source: SourceName = Field(
        default=SourceName.none, description="with scope: source; a source or feed of holdfast.toml"
    )
    queue: QueueName = Field(default=QueueName.none, description="with scope: queue; a queue of the workers")

    @property
    def name(self) -> str:
        """Of what is halted; '' for all.

        Raises:
            dg.Failure: the form does not name what its scope asks for, or names more.
        """
        chosen = {"source": self.source.value, "queue": self.queue.value}
        wanted = self.scope.value
        extra = [key for key, value in chosen.items() if key != wanted and value != "none"]
        if extra or (wanted != "all" and chosen[wanted] == "none"):
            said = f"name a {wanted}" if not extra else f"leave {extra[0]} away, or set scope: {extra[0]}"
            raise dg.Failure(f"scope: {wanted}: {said}", allow_retries=False)
        return "" if wanted == "all" else chosen[wanted]


@dg.op(description="Writes down what is halted; sensors, schedules and runs ask for it.")
def halt(context: dg.OpExecutionContext, config: Halt, postgres: dg.ResourceParam[Postgres]) -> None:
    halted = Halts(postgres).halt(config.scope.value, config.name, config.who, config.why, context.run_id)
    standing = [each.sentence for each in Halts(postgres).standing()]
    context.log.warning(halted.sentence)
    context.add_output_metadata({"halted": halted.sentence, "standing": dg.MetadataValue.json(standing)})


@dg.job(
    name="halt_ingestion",
    tags=READS,
    description="Stop a source, a queue or everything: sensors and schedules skip and say why, a run that writes ends after its "
    "chunk as waiting, one that is started by hand stops before it writes. docs/operations/halt-and-resume.md",
)
def halt_ingestion() -> None:
    halt()
