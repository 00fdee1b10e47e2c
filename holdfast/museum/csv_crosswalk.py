"""A row of a CSV export as Dublin Core, by the mapping in `holdfast.toml`."""

from __future__ import annotations

from holdfast.csv_rows import CsvRow
from holdfast.museum.dublin_core import DublinCore, clean
from holdfast.museum.elements import LINKS
from holdfast.settings import Collection


def csv_to_dublin_core(row: CsvRow, collection: Collection) -> DublinCore:
    """The row's mapped columns and the collection's constants; columns that are not mapped are left out.

    A cell is one value, or several where the collection has a `separator`. Cells are taken as they are: what looks like
    a formula is text.

    Raises:
        pydantic.ValidationError: an element is missing or wrong; `loc` starts with its name.
    """
    cells = {element: row.cells[column] for element, column in collection.columns.items()}
    values: dict[str, object] = {}
    for element, text in {**collection.constants, **{e: c for e, c in cells.items() if c.strip()}}.items():
        if element in LINKS:
            values[element] = text.strip()
        else:
            is_list = bool(collection.separator) and element not in ("identifier", "title")
            values[element] = clean(text.split(collection.separator) if is_list else text)
    return DublinCore.model_validate({"identifier": (), "title": (), **values})
