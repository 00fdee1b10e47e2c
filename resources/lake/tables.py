"""A few rows of a frame as a Markdown table, for metadata that people read."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

_WIDTH = 300


def as_markdown(frame: pl.DataFrame, columns: Sequence[str] | None = None, *, nothing: str = "none") -> str:
    """The frame's rows, `columns` of it, cells cut at 300 characters, with an ellipsis: a hint is whole, a long note is not."""
    names = list(columns or frame.columns)
    if not frame.height:
        return nothing
    head = ["| " + " | ".join(name.replace("_", " ") for name in names) + " |", "|" + "---|" * len(names)]
    rows = ["| " + " | ".join(_cell(value) for value in row) + " |" for row in frame.select(names).iter_rows()]
    return "\n".join(head + rows)


def _cell(value: object) -> str:
    if isinstance(value, list):
        value = ", ".join(str(each) for each in value)
    text = "" if value is None else str(value)
    text = text if len(text) <= _WIDTH else text[: _WIDTH - 1] + "…"
    return text.replace("|", "\\|").replace("\n", " ")
