"""What all benchmarks share: who takes part, rounds that alternate, medians, a table and a line of JSON a peer.

Each measurement is a process of its own, so that its peak memory is its own. A Python contender times its work itself,
without the start of Python and the imports, and ends with `report`; a program is timed from outside, whole.
"""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
OURS = "holdfast"
ROUNDS = 3


@dataclass(frozen=True)
class Contender:
    """Who takes part.

    Attributes:
        command: what is run; Python contenders end by calling `report`.
        missing: why it can't take part here; empty where it can.
        whole: timed from outside; such a program does not say how much it did.
        output: file for what it prints; its standard output is the report where this is None.
        note: what it does less, or more, than the others.
    """

    name: str
    command: Sequence[str] = ()
    missing: str = ""
    whole: bool = False
    output: Path | None = None
    note: str = ""


def missing_package(name: str) -> str:
    """Why a peer can't take part: empty where its package is installed."""
    return "" if importlib.util.find_spec(name) else "not installed (make bench)"


def count_records(file: Path) -> int:
    """Record terminators in a file of ISO 2709, read in pieces."""
    with file.open("rb") as stream:
        return sum(piece.count(b"\x1d") for piece in iter(lambda: stream.read(1 << 20), b""))


@dataclass(frozen=True)
class Sample:
    """One measurement. count: units of work done (0: not said)."""

    seconds: float
    count: int
    peak_mib: float


@dataclass(frozen=True)
class Summary:
    """A contender's rounds. value: median, in the benchmark's unit; None where it did not take part."""

    name: str
    value: float | None
    spread: float
    peak_mib: float
    count: int
    note: str = ""


class ContenderFailedError(RuntimeError):
    """A contender ended with an error: no figures."""


@contextmanager
def clock() -> Iterator[list[float]]:
    """Seconds of the block, in the list's only place once it is over."""
    took = [0.0]
    begin = time.perf_counter()
    try:
        yield took
    finally:
        took[0] = time.perf_counter() - begin


def report(seconds: float, count: int) -> None:
    """What a Python contender prints last."""
    print(json.dumps({"seconds": seconds, "count": count, "peak_mib": _peak_mib("self")}), flush=True)


def _peak_mib(process: int | str) -> float:
    """Most memory that a process has had (Linux; else 0). Not rusage: its figure begins with that of the process that
    started it."""
    line = next((each for each in _read(f"/proc/{process}/status").splitlines() if each.startswith("VmHWM")), "")
    return int(line.split()[1]) / 1024 if line else 0.0


def _watch(process: subprocess.Popen[bytes]) -> float:
    """Peak of a program that does not say it itself, looked at until it ends."""
    peak = 0.0
    while process.poll() is None:
        peak = max(peak, _peak_mib(process.pid))
        time.sleep(0.005)
    return peak


def measure(contender: Contender) -> Sample:
    """Run a contender once.

    Raises:
        ContenderFailedError: it ended with an error, or said nothing.
    """
    with (contender.output or Path(os.devnull)).open("wb") as output, tempfile.TemporaryFile() as complaints:
        begin = time.perf_counter()
        process = subprocess.Popen(
            contender.command,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output if contender.whole else subprocess.PIPE,
            stderr=complaints,
        )
        peak = _watch(process) if contender.whole else 0.0
        said = process.communicate()[0] or b""
        took = time.perf_counter() - begin
        if process.returncode:
            complaints.seek(0)
            text = complaints.read().decode(errors="replace")[-2000:]
            raise ContenderFailedError(f"{contender.name} ended with {process.returncode}: {text}")
    if contender.whole:
        return Sample(took, 0, peak)
    try:
        own = json.loads(said.splitlines()[-1])
        return Sample(float(own["seconds"]), int(own["count"]), float(own["peak_mib"]))
    except (IndexError, ValueError, KeyError, TypeError) as error:
        raise ContenderFailedError(f"{contender.name} did not say how long it took") from error


def order_of_round(names: Sequence[str], number: int) -> list[str]:
    """Each round begins with another one, so that none always runs into a warm cache or a hot processor."""
    start = number % len(names) if names else 0
    return [*names[start:], *names[:start]]


def run_rounds(contenders: Sequence[Contender], rounds: int = ROUNDS) -> dict[str, list[Sample]]:
    """name → its samples; those that are missing have none."""
    present = {each.name: each for each in contenders if not each.missing}
    samples: dict[str, list[Sample]] = {name: [] for name in present}
    for number in range(rounds):
        for name in order_of_round(list(present), number):
            samples[name].append(measure(present[name]))
    return samples


def summarize(
    contenders: Sequence[Contender], samples: Mapping[str, Sequence[Sample]], *, rate: bool, units: int
) -> list[Summary]:
    """A summary a contender.

    Args:
        rate: the value is units a second (more is better), else milliseconds a unit (less is better).
        units: how many units the input has, for programs that do not count.
    """
    summaries = []
    for each in contenders:
        own = samples.get(each.name, ())
        if not own:
            summaries.append(Summary(each.name, None, 0.0, 0.0, 0, f"missing: {each.missing}"))
            continue
        values = [_value(sample, rate, units) for sample in own]
        middle = statistics.median(values)
        spread = (max(values) - min(values)) / middle if middle else 0.0
        summaries.append(Summary(each.name, middle, spread, max(s.peak_mib for s in own), own[-1].count, each.note))
    return summaries


def _value(sample: Sample, rate: bool, units: int) -> float:
    count = sample.count or units
    return count / sample.seconds if rate else sample.seconds / count * 1000


def ratio(ours: float, theirs: float, *, rate: bool) -> float:
    """Above 1: Holdfast is ahead."""
    return ours / theirs if rate else theirs / ours


def lines(benchmark: str, what: str, summaries: Sequence[Summary], *, rate: bool, unit: str) -> list[dict[str, Any]]:
    """One object a peer. peak_mib is Holdfast's own; a missing peer has null as ratio and theirs."""
    ours = next(each for each in summaries if each.name == OURS)
    if ours.value is None:
        raise ContenderFailedError("Holdfast itself did not take part")
    return [
        {
            "benchmark": benchmark,
            "input": what,
            "peer": each.name,
            "ratio": None if each.value is None else round(ratio(ours.value, each.value, rate=rate), 2),
            "ours": round(ours.value, 3 if ours.value < 100 else 0),
            "theirs": None if each.value is None else round(each.value, 3 if each.value < 100 else 0),
            "unit": unit,
            "peak_mib": round(ours.peak_mib),
        }
        for each in summaries
        if each.name != OURS
    ]


def table(title: str, summaries: Sequence[Summary], *, rate: bool, unit: str) -> str:
    """Markdown, a row a contender."""
    ours = next(each for each in summaries if each.name == OURS)
    rows = [
        f"**{title}**",
        "",
        f"| | {unit} | Holdfast is ahead by | rounds differ by | peak MiB | |",
        "|---|--:|--:|--:|--:|---|",
    ]
    for each in summaries:
        if each.value is None or ours.value is None:
            rows.append(f"| {each.name} | – | – | – | – | {each.note} |")
            continue
        ahead = "" if each.name == OURS else f"× {ratio(ours.value, each.value, rate=rate):.2f}"
        note = each.note
        if each.count and ours.count and each.count != ours.count:
            note = f"{note}; counts {each.count:,}, Holdfast {ours.count:,}".removeprefix("; ")
        figure = f"{each.value:,.0f}" if each.value >= 100 else f"{each.value:,.3g}"
        rows.append(f"| {each.name} | {figure} | {ahead} | {each.spread:.0%} | {each.peak_mib:,.0f} | {note} |")
    return "\n".join(rows)


def compare(
    benchmark: str,
    what: str,
    contenders: Sequence[Contender],
    *,
    units: int,
    unit: str,
    rate: bool,
    rounds: int = ROUNDS,
) -> tuple[str, list[dict[str, Any]]]:
    """Measure, and give the table and the lines."""
    summaries = summarize(contenders, run_rounds(contenders, rounds), rate=rate, units=units)
    found = lines(benchmark, what, summaries, rate=rate, unit=unit)
    return table(what, summaries, rate=rate, unit=unit), found


def show(results: Sequence[tuple[str, list[dict[str, Any]]]], packages: Sequence[str]) -> None:
    """The tables, the machine, and last the lines."""
    for text, _ in results:
        print(text, end="\n\n")
    print(machine(packages), end="\n\n")
    for _, found in results:
        for line in found:
            print(json.dumps(line, ensure_ascii=False))


def machine(packages: Sequence[str]) -> str:
    """Processor, memory and versions, in a line."""
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in _read("/proc/cpuinfo").splitlines()
            if line.startswith("model name")
        ),
        platform.processor() or platform.machine(),
    )
    memory = next(
        (int(line.split()[1]) for line in _read("/proc/meminfo").splitlines() if line.startswith("MemTotal")), 0
    )
    installed = [name for name in packages if not missing_package(name)]
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in installed)
    return (
        f"{model}, {os.cpu_count()} cores, {memory / 1024 / 1024:.0f} GiB; {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}, {versions}"
    )


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""
