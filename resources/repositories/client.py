"""A source that is asked: the records of a window, and the list of all that it has, whichever protocol it speaks."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

import polars as pl
from lxml import etree

from holdfast.environment import Environment
from holdfast.harvest.completeness import LISTED
from holdfast.harvest.marcxml import MarcXml, marc_record
from holdfast.harvest.oai import OaiItem
from holdfast.harvest.windows import Bounds, bounds
from holdfast.settings import Settings, Source
from resources.museum_exports.client import MuseumExports
from resources.museum_exports.harvest import HarvestedExport, harvest_export
from resources.oai_pmh.client import OaiPmhClient, PageUnreadable, RepositoryError, TokenExpired
from resources.sru.client import SruClient


class Harvested(NamedTuple):
    """A record of a window. marc: None where it is deleted, or where `fault` says why it can't be taken."""

    identifier: str
    datestamp: str
    deleted: bool
    marc: MarcXml | None
    fault: str


class HarvestedPage(NamedTuple):
    """size: how many records the source says the whole window has; None where it does not."""

    records: list[Harvested]
    size: int | None


class Repository(Protocol):
    """An open source. `requests` counts what was asked of it."""

    url: str

    @property
    def requests(self) -> int: ...

    def window(self, day: dt.date) -> Bounds: ...

    def pages(self, day: dt.date) -> Iterator[HarvestedPage]: ...

    def listing(self) -> Iterator[pl.DataFrame] | None: ...

    def close(self) -> None: ...


def _taken(container: etree._Element | None) -> tuple[MarcXml | None, str]:
    if container is None:
        return None, "it has no metadata and is not deleted"
    try:
        return marc_record(container), ""
    except ValueError as error:
        return None, str(error)


def _harvested(item: OaiItem) -> Harvested:
    marc, fault = (None, "") if item.deleted else _taken(item.metadata)
    return Harvested(item.identifier, item.datestamp, item.deleted, marc, fault)


class OaiPmhRepository:
    """MARCXML of an OAI-PMH repository."""

    def __init__(self, client: OaiPmhClient) -> None:
        self.url = client.url
        self._client = client
        self._granularity = ""
        self._one_by_one = False

    @property
    def requests(self) -> int:
        return self._client.requests

    def window(self, day: dt.date) -> Bounds:
        self._granularity = self._granularity or self._client.identify().granularity
        try:
            return bounds(day, self._granularity)
        except ValueError as error:
            raise RepositoryError(f"{self.url}: {error}") from error

    def pages(self, day: dt.date) -> Iterator[HarvestedPage]:
        """Raises TokenExpired where the list has to start again: once also after a page that is no XML, and the records are
        then asked for one by one, so that a bad one stops only itself."""
        window = self.window(day)
        if self._one_by_one:
            for page in self._client.pages("ListIdentifiers", window):
                yield HarvestedPage([self._single(item) for item in page.items], page.size)
            return
        try:
            for page in self._client.pages("ListRecords", window):
                yield HarvestedPage([_harvested(item) for item in page.items], page.size)
        except PageUnreadable as error:
            self._one_by_one = True
            raise TokenExpired(str(error)) from error

    def _single(self, header: OaiItem) -> Harvested:
        if header.deleted:
            return _harvested(header)
        try:
            return _harvested(self._client.record(header.identifier))
        except PageUnreadable as error:
            return Harvested(header.identifier, header.datestamp, False, None, f"its answer is unreadable: {error}")

    def listing(self) -> Iterator[pl.DataFrame]:
        for page in self._client.pages("ListIdentifiers"):
            rows = [(item.identifier, item.datestamp, item.deleted) for item in page.items]
            yield pl.DataFrame(rows, schema=LISTED, orient="row")

    def close(self) -> None:
        self._client.__exit__()


class SruRepository:
    """MARCXML of an SRU server. SRU has no deletions and no datestamps: 005 stands for the latter."""

    def __init__(self, client: SruClient, source: Source) -> None:
        self.url = client.url
        self._client = client
        self._source = source

    @property
    def requests(self) -> int:
        return self._client.requests

    def window(self, day: dt.date) -> Bounds:
        return Bounds(day.isoformat(), day.isoformat())

    def pages(self, day: dt.date) -> Iterator[HarvestedPage]:
        yield from self._search(self._source.query_of(day))

    def _search(self, query: str) -> Iterator[HarvestedPage]:
        for page in self._client.pages(query):
            records = []
            for each in page.records:
                marc, fault = (None, each.fault) if each.data is None else _taken(each.data)
                identifier = each.identifier or (marc.number if marc else "") or f"record {each.position} of {query}"
                records.append(Harvested(identifier, marc.changed if marc else "", False, marc, fault))
            yield HarvestedPage(records, page.total)

    def listing(self) -> Iterator[pl.DataFrame] | None:
        query = self._source.all_query or ("" if self._source.by_day else self._source.query)
        return self._listed(query) if query else None

    def _listed(self, query: str) -> Iterator[pl.DataFrame]:
        for page in self._search(query):
            rows = [(each.identifier, each.datestamp, False) for each in page.records]
            yield pl.DataFrame(rows, schema=LISTED, orient="row")

    def close(self) -> None:
        self._client.__exit__()


class Repositories:
    """The repositories of all sources that are asked."""

    def __init__(
        self, settings: Settings, environment: Callable[[], Environment], *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._settings = settings
        self._environment = environment
        self._sleep = sleep

    def of(self, name: str) -> Repository | None:
        """The source's repository; None where it is a source of files."""
        source, login = self._settings.sources[name], self._environment().login("SOURCE", name)
        if source.kind == "oai-pmh":
            return OaiPmhRepository(
                OaiPmhClient(
                    source.url,
                    prefix=source.metadata_prefix,
                    set_spec=source.set_spec,
                    login=login,
                    timeout=source.timeout_seconds,
                    retries=source.retries,
                    answer_bytes=self._settings.limits.answer_bytes,
                    sleep=self._sleep,
                )
            )
        if source.kind == "sru":
            client = SruClient(
                source.url,
                schema=source.record_schema,
                page_records=source.page_records,
                login=login,
                timeout=source.timeout_seconds,
                retries=source.retries,
                answer_bytes=self._settings.limits.answer_bytes,
                sleep=self._sleep,
            )
            return SruRepository(client, source)
        return None

    def harvest_export(self, exports: MuseumExports, name: str, day: dt.date) -> HarvestedExport | None:
        """The export of a museum collection of kind oai-pmh, see museum_exports/harvest.py; None of one of files."""
        collection = self._settings.collections.get(name)
        if collection is None or collection.kind != "oai-pmh":
            return None
        with OaiPmhClient(
            collection.url,
            prefix=collection.metadata_prefix or collection.format,
            set_spec=collection.set_spec,
            login=self._environment().login("COLLECTION", name),
            timeout=collection.timeout_seconds,
            retries=collection.retries,
            answer_bytes=self._settings.limits.answer_bytes,
            sleep=self._sleep,
        ) as client:
            return harvest_export(client, exports, name, day)
