"""Fingerprints, correlation IDs and idempotency keys: the same for the same, different for the different."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.identity import NAMESPACE, correlation_id, fingerprint, idempotency_key, named_parts

names = st.from_regex(r"[a-z_]{1,8}", fullmatch=True)
parts = st.dictionaries(names, st.text(max_size=20), max_size=4)
digests = st.text("0123456789abcdef", min_size=64, max_size=64)


@given(one=parts, two=parts)
def test_different_parts_never_run_together(one: dict[str, str], two: dict[str, str]) -> None:
    same = list(one.items()) == list(two.items())
    assert (named_parts(**one) == named_parts(**two)) == same


@given(text=st.text(";:0123456789ab", max_size=20), at=st.integers(0, 20))
def test_a_value_that_looks_like_parts_is_still_one_value(text: str, at: int) -> None:
    assert (named_parts(a=text[:at], b=text[at:]) == named_parts(a=text, b="")) == (at >= len(text))
    assert named_parts(a=text) != named_parts(a=text, b="")


def test_lengths_count_bytes_and_the_form_is_the_documented_one() -> None:
    assert named_parts(control_number="ocm1", last_modified="é") == "control_number:4:ocm1;last_modified:2:é;".encode()
    assert named_parts(record_number=7) == b"record_number:1:7;"


def test_a_fingerprint_is_stable_across_releases() -> None:
    # Stored in ledgers and filters: another value for the same record would write everything twice.
    assert (
        fingerprint("ocm00001", "20260105120000.0")
        == "b239dad538b7a3db16fca77b50bf608deb31952754db6775f745de7e4a96f7cf"
    )
    assert correlation_id("ebooks", "2026-01-05", 1, "ab") == "89bcdd5d-4462-5580-84da-ac6a50b91651"


@given(one=st.tuples(st.text(), st.text()), two=st.tuples(st.text(), st.text()))
def test_fingerprints_are_equal_exactly_for_equal_records(one: tuple[str, str], two: tuple[str, str]) -> None:
    assert (fingerprint(*one) == fingerprint(*two)) == (one == two)


@given(source=st.text(), window=st.text(), number=st.integers(1, 10**9), digest=digests)
def test_a_correlation_id_is_a_uuid_5_and_the_same_in_every_replay(
    source: str, window: str, number: int, digest: str
) -> None:
    found = correlation_id(source, window, number, digest)
    parts = named_parts(source=source, window=window, record_number=number, fingerprint=digest)
    assert found == str(uuid.uuid5(NAMESPACE, parts.decode())) and uuid.UUID(found).version == 5
    assert found == correlation_id(source, window, number, digest)
    assert found != correlation_id(source, window, number + 1, digest)


@pytest.mark.parametrize("changed", [0, 1, 2])
def test_an_idempotency_key_depends_on_each_of_its_parts(changed: int) -> None:
    before = ["correlation", "target", "content"]
    after = [*before[:changed], "other", *before[changed + 1 :]]
    assert idempotency_key(*before) != idempotency_key(*after)
    assert idempotency_key(*before) == idempotency_key(*before)
