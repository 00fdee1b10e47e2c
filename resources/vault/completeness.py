"""What a source lists against what was harvested of it."""

from __future__ import annotations

from contextlib import closing
from typing import NamedTuple

import polars as pl

from holdfast.harvest.completeness import LISTED, WINDOWS, compare, windows_to_fetch
from holdfast.harvest.windows import is_closed
from resources.lake.client import Lake
from resources.postgres.harvest_log import HarvestLog
from resources.repositories.client import Repositories
from resources.vault.windows import identifiers_of


class Comparison(NamedTuple):
    """report: shape COMPLETENESS. windows: shape TO_FETCH. listed: how many identifiers the source lists."""

    report: pl.DataFrame
    windows: pl.DataFrame
    listed: int


def compare_with_source(lake: Lake, log: HarvestLog, repositories: Repositories, source: str) -> Comparison | None:
    """None where the source can't list what it has (SRU by day without `all_query`), or is one of files.

    What is held is read before the source is asked: what comes in meanwhile is not taken for a difference of ours.

    Raises:
        RepositoryError: the list could not be read whole; a part of it would show the rest as deleted.
    """
    repository = repositories.of(source)
    if repository is None:
        return None
    with closing(repository):
        pages = repository.listing()
        if pages is None:
            return None
        held = identifiers_of(lake, source)
        windows = [(each.day, is_closed(each)) for each in log.fetched(source)]
        listed = pl.concat([pl.DataFrame(schema=LISTED), *pages])
    report = compare(listed, held, pl.DataFrame(windows, schema=WINDOWS, orient="row"))
    return Comparison(report, windows_to_fetch(report), listed.height)
