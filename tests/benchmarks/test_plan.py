"""A comparison is fair only where both ways find the same records to differ."""

from __future__ import annotations

from pathlib import Path

from benchmarks.plan import _tables, make, raw_records, with_deepdiff, with_holdfast


def test_both_ways_find_the_same_records_to_differ(data: Path, tmp_path: Path) -> None:
    make(data, tmp_path, 40)
    # Every second pair is twice the same record, with its fields in another order.
    live = [each + b"\x1d" for each in (tmp_path / "live.mrc").read_bytes().split(b"\x1d")[:-1]]
    incoming = [each + b"\x1d" for each in (tmp_path / "incoming.mrc").read_bytes().split(b"\x1d")[:-1]]
    incoming[::2] = [_last_field_first(each) for each in live[::2]]
    (tmp_path / "incoming.mrc").write_bytes(b"".join(incoming))
    _tables(tmp_path)
    to = tmp_path / "to"
    to.mkdir()
    seconds, pairs, changes = with_holdfast(tmp_path, to)
    _, compared, differing = with_deepdiff(tmp_path, any_order=True)
    assert pairs == compared == 40 and seconds > 0
    ours = set(changes["record"].unique())
    assert ours == {number for number, differs in enumerate(differing, 1) if differs}
    assert ours == set(range(2, 41, 2))
    _, _, in_order = with_deepdiff(tmp_path, any_order=False)
    assert any(in_order[::2]), "to the peer another order is a difference, unless it is told to look"


def test_the_pairs_have_the_same_number(data: Path) -> None:
    folder = data / "marc" / "aco"
    assert (
        len(raw_records(folder / "aco-orig.mrc.gz").keys() & raw_records(folder / "aco-latest.mrc.gz").keys()) > 4_000
    )


def _last_field_first(raw: bytes) -> bytes:
    """The record with the last two entries of its directory changed about."""
    base = int(raw[12:17])
    directory = raw[24 : base - 1]
    return raw[:24] + directory[:-24] + directory[-12:] + directory[-24:-12] + raw[base - 1 :]
