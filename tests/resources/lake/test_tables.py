import polars as pl

from resources.lake.tables import as_markdown


def test_a_cell_is_whole_up_to_300_characters_and_a_cut_shows() -> None:
    frame = pl.DataFrame({"hint": ["a" * 300, "b" * 301, "one|two\nthree", None], "who_did": [[1, 2], [], [3], []]})
    head, rule, *rows = as_markdown(frame).split("\n")
    assert (head, rule) == ("| hint | who did |", "|---|---|")
    assert rows == [
        f"| {'a' * 300} | 1, 2 |",
        f"| {'b' * 299}… |  |",
        "| one\\|two three | 3 |",
        "|  |  |",
    ]
    assert as_markdown(frame.clear(), nothing="nobody waits") == "nobody waits"
