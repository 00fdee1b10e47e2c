from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from holdfast.museum.snippets import WIDTH, fold, snippet


def test_a_snippet_starts_a_little_before_what_was_looked_for() -> None:
    text = "word " * 100 + "Dürer’s house " + "word " * 100
    found = snippet(text, "durer")
    assert "Dürer’s house" in found
    assert found.startswith("… ")
    assert found.endswith(" …")


@given(st.text(max_size=600), st.text(max_size=20))
def test_a_snippet_is_short_and_on_one_line(text: str, query: str) -> None:
    assert len(fold(text)) == len(text)
    found = snippet(text, query)
    assert len(found) <= WIDTH + 4
    assert len(found.splitlines()) <= 1
