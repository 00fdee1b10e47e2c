"""The arithmetic and the form of the benchmarks; no time is tested."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from benchmarks import __main__ as every
from benchmarks.measure import (
    OURS,
    Contender,
    ContenderFailedError,
    Sample,
    count_records,
    lines,
    machine,
    measure,
    missing_package,
    order_of_round,
    ratio,
    run_rounds,
    show,
    summarize,
    table,
)

PEERS = [Contender(OURS), Contender("slow"), Contender("absent", missing="not installed")]
SAMPLES = {
    OURS: [Sample(1.0, 100, 50.0), Sample(4.0, 100, 70.0), Sample(2.0, 100, 60.0)],
    "slow": [Sample(10.0, 0, 5.0), Sample(10.0, 0, 6.0), Sample(5.0, 0, 7.0)],
}


def says(text: str, code: int = 0) -> list[str]:
    return [sys.executable, "-c", f"import sys; print({text!r}); sys.exit({code})"]


def test_a_rate_is_the_median_of_the_rounds_and_memory_their_peak() -> None:
    ours, slow, absent = summarize(PEERS, SAMPLES, rate=True, units=100)
    assert (ours.value, ours.peak_mib) == (50, 70)
    assert ours.spread == (100 - 25) / 50
    assert slow.value == 10, "who does not count did all of the input"
    assert absent.value is None


def test_a_time_is_in_milliseconds_a_unit() -> None:
    ours, slow, _ = summarize(PEERS, SAMPLES, rate=False, units=100)
    assert (ours.value, slow.value) == (20, 100)


@pytest.mark.parametrize(("rate", "expected"), [(True, 5.0), (False, 0.2)])
def test_a_ratio_above_one_is_holdfast_ahead_whether_more_or_less_is_better(rate: bool, expected: float) -> None:
    assert ratio(50, 10, rate=rate) == expected


def test_a_line_a_peer_has_the_keys_that_readers_of_it_expect() -> None:
    slow, absent = lines("b", "input", summarize(PEERS, SAMPLES, rate=True, units=100), rate=True, unit="records/s")
    assert slow == {
        "benchmark": "b",
        "input": "input",
        "peer": "slow",
        "ratio": 5.0,
        "ours": 50,
        "theirs": 10,
        "unit": "records/s",
        "peak_mib": 70,
    }
    assert list(absent) == list(slow)
    assert (absent["peer"], absent["ratio"], absent["theirs"]) == ("absent", None, None)


def test_a_missing_peer_is_named_and_never_won() -> None:
    text = table("input", summarize(PEERS, SAMPLES, rate=True, units=100), rate=True, unit="records/s")
    row = next(line for line in text.splitlines() if line.startswith("| absent"))
    assert "missing: not installed" in row and "×" not in row
    assert "× 5.00" in text


def test_without_holdfast_there_is_no_result() -> None:
    with pytest.raises(ContenderFailedError, match="Holdfast itself"):
        lines("b", "i", summarize([Contender(OURS, missing="x")], {}, rate=True, units=1), rate=True, unit="x")


def test_different_counts_are_said() -> None:
    samples = {OURS: [Sample(1, 100, 1)], "other": [Sample(1, 90, 1)]}
    text = table(
        "i", summarize([Contender(OURS), Contender("other")], samples, rate=True, units=100), rate=True, unit="x"
    )
    assert "counts 90, Holdfast 100" in text


def test_each_round_begins_with_another_one() -> None:
    orders = [order_of_round(["a", "b", "c"], number) for number in range(4)]
    assert [order[0] for order in orders] == ["a", "b", "c", "a"]
    assert all(sorted(order) == ["a", "b", "c"] for order in orders)
    assert order_of_round([], 1) == []


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")
@pytest.mark.parametrize("whole", [False, True])
def test_memory_is_the_contenders_own_and_not_that_of_who_started_it(whole: bool) -> None:
    ballast = bytearray(300_000_000)
    code = "import time; from benchmarks.measure import report; x = bytearray({}); time.sleep(0.2); report(2.5, 7)"
    small, large = (
        measure(Contender("c", [sys.executable, "-c", code.format(size)], whole=whole)) for size in (1, 80_000_000)
    )
    assert small.peak_mib < 100 and len(ballast) == 300_000_000
    assert 60 < large.peak_mib - small.peak_mib < 100
    assert whole or (large.seconds, large.count) == (2.5, 7)


def test_a_program_is_timed_whole_and_its_output_kept(tmp_path) -> None:
    sample = measure(Contender("c", says("out"), whole=True, output=tmp_path / "out"))
    assert sample.seconds > 0 and sample.count == 0
    assert (tmp_path / "out").read_text() == "out\n"


def test_rounds_alternate_and_leave_out_who_is_missing() -> None:
    report = says(json.dumps({"seconds": 1, "count": 1, "peak_mib": 1}))
    samples = run_rounds([Contender(OURS, report), Contender("absent", missing="gone")], rounds=3)
    assert {name: len(own) for name, own in samples.items()} == {OURS: 3}


@pytest.mark.parametrize(("command", "said"), [(says("x", 3), "ended with 3"), (says("no figures"), "did not say")])
def test_who_fails_has_no_figures(command: list[str], said: str) -> None:
    with pytest.raises(ContenderFailedError, match=said):
        measure(Contender("c", command))


def test_the_lines_come_last_and_are_json(capsys: pytest.CaptureFixture[str]) -> None:
    summaries = summarize(PEERS, SAMPLES, rate=True, units=100)
    show([("table", lines("b", "é", summaries, rate=True, unit="x"))], ["polars"])
    out = capsys.readouterr().out.splitlines()
    assert [json.loads(line)["peer"] for line in out[-2:]] == ["slow", "absent"]
    assert out[0] == "table" and any("polars" in line for line in out)


def test_every_module_but_the_mechanism_is_a_benchmark() -> None:
    assert {"marc_read", "run_overhead"} <= set(every.names())
    assert not set(every.names()) & {"measure", "__main__", "__init__"}


def test_a_package_that_is_not_there_is_named_as_missing_and_has_no_version() -> None:
    assert missing_package("polars") == "" and missing_package("nowhere_to_be_found") == "not installed (make bench)"
    assert "polars" in machine(["polars", "nowhere_to_be_found"]) and "nowhere" not in machine(["nowhere_to_be_found"])


def test_records_are_counted_over_the_pieces_that_are_read(tmp_path: Path) -> None:
    file = tmp_path / "many.mrc"
    file.write_bytes(b"\x1d" * ((1 << 20) + 1) + b"no end")
    assert count_records(file) == (1 << 20) + 1
