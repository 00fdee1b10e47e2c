"""Outcomes add up, and a preview shows no word that a person wrote."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from holdfast.outcomes import Conservation, Outcome, scrub, sha256_hex


def test_there_are_seven_outcomes_by_these_names() -> None:
    expected = "committed unchanged planned quarantined duplicate suppressed rolled_back"
    assert [str(each) for each in Outcome] == expected.split()


@given(counts=st.dictionaries(st.sampled_from([str(each) for each in Outcome]), st.integers(0, 10**6)))
def test_conservation_holds_exactly_when_in_is_the_sum(counts: dict[str, int]) -> None:
    total = sum(counts.values())
    assert Conservation(total, counts).holds
    assert not Conservation(total + 1, counts).holds
    assert "≠" in Conservation(total + 1, counts).sentence
    assert "≠" not in Conservation(total, counts).sentence


def test_the_sentence_says_what_came_of_what() -> None:
    assert Conservation(1200, {"committed": 1199, "quarantined": 1, "planned": 0}).sentence == (
        "1,200 in = 1,199 committed + 1 quarantined"
    )
    assert Conservation(0, {}).sentence == "0 in = 0"
    assert Conservation(2, {"committed": 1}).sentence == "2 in ≠ 1 committed"


@given(data=st.binary(max_size=400))
def test_a_preview_has_no_letter_and_no_digit_of_the_original(data: bytes) -> None:
    preview = scrub(data)
    assert len(preview) == min(len(data), 200)
    assert not any(character.isalnum() and character not in "a9" for character in preview)
    assert "\0" not in preview and preview.isprintable()


def test_a_preview_keeps_the_shape_of_a_record() -> None:
    assert scrub(b"00714cam \x1e\x1fa Smith, J\xc3\xa9 \x1d") == "99999aaa ␞␟a aaaaa, a·· ␝"
    assert scrub(b"abcdef", limit=3) == "aaa"


def test_the_hash_is_sha_256() -> None:
    assert sha256_hex(b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
