"""A thin SRU client on httpx; docs/decisions/0013-harvest.md says why none from elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import httpx

from holdfast.environment import Login
from holdfast.harvest.answers import AnswerUnreadable
from holdfast.harvest.sru import SruError, SruPage, parse_search
from resources.oai_pmh.client import RepositoryError
from resources.oai_pmh.pauses import pause_of

_PASSING = (429, 500, 502, 503, 504)


class SruClient:
    """searchRetrieve of one server."""

    def __init__(
        self,
        url: str,
        *,
        schema: str = "marcxml",
        page_records: int = 100,
        login: Login | None = None,
        timeout: float = 60,
        retries: int = 5,
        answer_bytes: int = 64_000_000,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.url = url
        self._schema = schema
        self._page = page_records
        self._retries = retries
        self._answer_bytes = answer_bytes
        self._sleep = sleep
        auth = login.auth if login else None
        self._http = httpx.Client(timeout=timeout, auth=auth, headers={"user-agent": "holdfast"})
        self.requests = 0

    def __enter__(self) -> SruClient:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def count(self, query: str) -> int:
        """numberOfRecords of the query. Raises RepositoryError."""
        return self._ask(query, 1, 1).total

    def pages(self, query: str) -> Iterator[SruPage]:
        """All records of the query, page by page, whole if nothing is raised.

        Raises:
            RepositoryError: the server refuses, does not answer, or gives fewer records than it counted.
        """
        start, got = 1, 0
        while True:
            page = self._ask(query, start, self._page)
            got += len(page.records)
            yield page
            # Servers may give fewer than asked for (section 3.1): the next position leads, or the count where it is missing.
            following = page.following or (start + len(page.records) if got < page.total else None)
            if following is None or not page.total:
                break
            if following <= start or not page.records:
                break
            start = following
        if got < page.total:
            raise RepositoryError(f"{self.url} {query}: {got:,} records came of {page.total:,} that the server counts")

    def _ask(self, query: str, start: int, count: int) -> SruPage:
        params: dict[str, str | int] = {
            "version": "1.2",
            "operation": "searchRetrieve",
            "query": query,
            "startRecord": start,
            "maximumRecords": count,
            "recordSchema": self._schema,
            "recordPacking": "xml",
        }
        asked, failures = f"{self.url} {query} from record {start}", 0
        while True:
            self.requests += 1
            pause: float | None = None
            try:
                status, headers, body = self._get(params)
                if status == 200:
                    return parse_search(body, start)
                if status not in _PASSING:
                    moved = f"; it moved to {headers['location']}" if "location" in headers else ""
                    raise RepositoryError(f"{asked}: HTTP {status}{moved}")
                said, pause = f"HTTP {status}", pause_of(headers.get("retry-after", ""))
            except SruError as error:
                raise RepositoryError(f"{asked}: {error}") from error
            except httpx.TransportError as error:
                said = f"{type(error).__name__}: {error}"
            except AnswerUnreadable as error:
                said = str(error)
            failures += 1
            if failures > self._retries:
                raise RepositoryError(f"{asked}: {said}, {failures} times")
            self._sleep(min(2.0 ** (failures - 1), 60) if pause is None else pause)

    def _get(self, params: dict[str, str | int]) -> tuple[int, httpx.Headers, bytes]:
        with self._http.stream("GET", self.url, params=params) as response:
            body = bytearray()
            for chunk in response.iter_bytes(65_536):
                body += chunk
                if len(body) > self._answer_bytes:
                    raise RepositoryError(
                        f"{self.url}: an answer above {self._answer_bytes:,} bytes (limits.answer_bytes); set page_records lower"
                    )
            return response.status_code, response.headers, bytes(body)
