"""What an earlier version of a partition has made, part by part, so that a part which did not change is not made again.

A part is known by what it was made of (`input`): the same input and the same code and rules give the same rows. Its Parquet files are
then taken over as they are. Beside the tables, a partition keeps the table `state`, a row a part.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from holdfast.identity import named_parts
from resources.lake.client import Lake, PartitionWriter

STATE = pl.Schema(
    {
        "part": pl.UInt32,  # of each of the tables, from 0
        "input": pl.String,  # hex SHA-256 of what it was made of
        "made": pl.String,  # hex SHA-256 of input and version with which its rows were made first
        "records": pl.UInt32,
    }
)


def file_digest(path: Path) -> str:
    """Hex SHA-256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def digest(**parts: str) -> str:
    """Hex SHA-256 of named parts."""
    return hashlib.sha256(named_parts(**parts)).hexdigest()


@dataclass(frozen=True)
class MadePart:
    """made: as in STATE. paths: of its file in each table. current: whether the present code and rules made it."""

    made: str
    paths: dict[str, Path]
    current: bool

    def holds(self, frames: dict[str, pl.DataFrame]) -> bool:
        """Whether its rows are these, by table."""
        return all(_reads_as(self.paths[table], frame) for table, frame in frames.items())


def _reads_as(path: Path, frame: pl.DataFrame) -> bool:
    return pl.read_parquet_schema(path) == frame.schema and pl.read_parquet(path).equals(frame)


@dataclass
class Reuse:
    """One materialization of a partition, beside its writer.

    Attributes:
        reused: records that were taken over without being made.
        computed: records that were made.
        kept: records of parts that were made and in which nothing differs from before; their files were taken over.
    """

    asset: str
    tables: Sequence[str]
    version: str
    reused: int = 0
    computed: int = 0
    kept: int = 0
    _before: dict[str, MadePart] = field(default_factory=dict)
    _state: list[tuple[int, str, str, int]] = field(default_factory=list)

    @classmethod
    def of(cls, lake: Lake, asset: str, partition: str, tables: Sequence[str], version: str) -> Reuse:
        """`tables`: those that get a file a part. `version`: of code and rules."""
        reuse = cls(asset, tables, version)
        if lake.has(asset, partition, "state"):
            current = lake.facts(asset, partition).get("made_with") == version
            files = {table: lake.parts(asset, partition, table) for table in tables}
            for part, given, made, _ in lake.read(asset, partition, "state").iter_rows():
                paths = {table: files[table][part] for table in tables}
                reuse._before[given] = MadePart(made, paths, current)
        return reuse

    def before(self, given: str) -> MadePart | None:
        """What was made of the same input."""
        return self._before.get(given)

    def take(self, writer: PartitionWriter, given: str, part: MadePart, records: int, *, made: bool = False) -> None:
        """Take the part's files over; `made`: it was made again, and nothing differs."""
        for table in self.tables:
            writer.take(table, part.paths[table])
        self._add(given, part.made, records)
        if made:
            self.computed += records
            self.kept += records
        else:
            self.reused += records

    def write(
        self, writer: PartitionWriter, given: str, frames: dict[str, pl.DataFrame], records: int, *, reused: int = 0
    ) -> None:
        """Write what was made of `given`, or take it over where nothing differs. `reused`: of the records, how many had not to be
        made."""
        self.reused += reused
        self.computed -= reused
        before = self.before(given)
        if before is not None and before.holds(frames):
            self.take(writer, given, before, records, made=True)
            return
        for table in self.tables:
            writer.write(table, frames[table])
        self._add(given, digest(input=given, version=self.version), records)
        self.computed += records

    def _add(self, given: str, made: str, records: int) -> None:
        self._state.append((len(self._state), given, made, records))

    def finish(self, writer: PartitionWriter, **facts: str) -> None:
        """Leave the state for the next time; `facts` stand beside it."""
        writer.write("state", pl.DataFrame(self._state, schema=STATE, orient="row"))
        writer.facts |= {"made_with": self.version, "made": self.data_version, **facts}

    @property
    def data_version(self) -> str:
        """Hex: the same as long as the partition's rows are."""
        return made_of(made for _, _, made, _ in self._state)


def made_of(parts: Iterable[str]) -> str:
    """One version of the parts' versions."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
