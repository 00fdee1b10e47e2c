"""Claim: what Dagster adds to a run is small beside the work of a load.

The work is `normalize_part` over as many records as the input says. Holdfast's way is a run of one asset, in process, on
an instance whose storage is SQLite in a temporary folder; the peer is the same work as a plain function. Holdfast can
only be behind: the figure is the price of partitions, checks and the record of what ran.
"""

import argparse
import io
import sys
import tempfile
from collections.abc import Callable

import dagster as dg

from benchmarks.measure import OURS, Contender, clock, compare, report, show
from holdfast.marc.harvest import index_drop
from holdfast.marc.window import normalize_part
from holdfast.privacy.masking import MaskingRules


def record(number: int) -> bytes:
    """A record of its own length and directory, with `number` in its 001."""
    fields = [
        (b"001", b"ocm%08d" % number),
        (b"005", b"20260101000000.0"),
        (b"008", b"260101s2001    xxu           000 0 eng d "),
        (b"020", b"  \x1fa9780306406157"),
        (b"100", b"1 \x1faAuthor, Some."),
        (b"245", b"10\x1faA title :\x1fband what follows it."),
    ]
    directory, body = b"", b""
    for tag, value in fields:
        directory += b"%s%04d%05d" % (tag, len(value) + 1, len(body))
        body += value + b"\x1e"
    base = 24 + len(directory) + 1
    return b"%05dnam a22%05d a 4500%s\x1e%s\x1d" % (base + len(body) + 1, base, directory, body)


def work_of(records: int) -> Callable[[], int]:
    """The work: bytes to the rows of two tables; how many records came out."""
    data = b"".join(record(number) for number in range(records))
    rules = MaskingRules(())

    def work() -> int:
        done = 0
        for part in index_drop(io.BytesIO(data), "drop.mrc", rules, b"a salt of no secret"):
            done += normalize_part(part.frame, source="benchmark", window="2026-01-01").records.height
        return done

    return work


def with_dagster(records: int, times: int) -> float:
    """Seconds of `times` runs."""
    work = work_of(records)

    @dg.asset
    def normalized() -> dg.MaterializeResult:
        return dg.MaterializeResult(metadata={"dagster/row_count": work()})

    with tempfile.TemporaryDirectory() as folder, dg.DagsterInstance.local_temp(folder) as instance:
        dg.materialize([normalized], instance=instance)
        with clock() as took:
            for _ in range(times):
                assert dg.materialize([normalized], instance=instance).success
    return took[0]


def alone(records: int, times: int) -> float:
    """Seconds of `times` calls."""
    work = work_of(records)
    work()
    with clock() as took:
        for _ in range(times):
            assert work() == records
    return took[0]


WAYS = {OURS: with_dagster, "the work alone": alone}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run_overhead", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer runs; ends within 50 seconds")
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--records", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--times", type=int, default=5, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.way:
        report(WAYS[arguments.way](arguments.records, arguments.times), arguments.times)
        return 0
    # A process starts in seconds: a quick form has few of them, with little to do.
    times, sizes = (3, (1_000,)) if arguments.quick else (10, (1_000, 20_000))
    results = []
    for records in sizes:
        command = [sys.executable, "-m", "benchmarks.run_overhead", "--records", str(records), "--times", str(times)]
        taking_part = [Contender(name, [*command, "--way", name]) for name in WAYS]
        what = f"a run of {records:,} records"
        results.append(compare("run_overhead", what, taking_part, units=times, unit="ms/run", rate=False))
    show(results, ["dagster", "polars"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
