"""A few rows of a frame as a Markdown table, for metadata that people read."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl


def as_markdown(frame: pl.DataFrame, columns: Sequence[str] | None = None, *, nothing: str = "none") -> str:
    """The frame's rows, `columns` of it, cells cut at 100 characters."""
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
    return text.replace("|", "\\|").replace("\n", " ")[:100]
