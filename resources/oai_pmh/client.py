"""An OAI-PMH client: oaipmh-scythe asks and knows the errors; answers are bounded here, and parsed strictly.

What of scythe is not used, and why, is in docs/decisions/0013-harvest.md.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TypeVar

import httpx2
from oaipmh_scythe import Scythe
from oaipmh_scythe.config import HTTPConfig
from oaipmh_scythe.exceptions import BadResumptionToken, NoRecordsMatch, OAIPMHException

from holdfast.environment import Login
from holdfast.harvest.answers import AnswerUnreadable
from holdfast.harvest.oai import Identified, OaiError, OaiItem, OaiPage, parse_identify, parse_page, raise_unknown_error
from holdfast.harvest.windows import Bounds
from resources.oai_pmh.pauses import pause_of

_T = TypeVar("_T")
_PASSING = (429, 500, 502, 503, 504)


class RepositoryError(OSError):
    """The repository can't be harvested now: its address, what was asked and what it said."""


class TokenExpired(RepositoryError):
    """The list can't be gone on with; it starts again."""


class PageUnreadable(RepositoryError):
    """An answer is no XML, as often as it is asked for: one record of it may be why."""


class _Bounded(Scythe):
    """Scythe that stops reading an answer at `answer_bytes`, counted after decompression."""

    answer_bytes = 0

    def _request(self, query: dict[str, str]) -> httpx2.Response:
        with self.client.stream("GET", self.endpoint, params=query) as response:
            body = bytearray()
            for chunk in response.iter_bytes(65_536):
                body += chunk
                if len(body) > self.answer_bytes:
                    raise RepositoryError(
                        f"{self.endpoint}: an answer above {self.answer_bytes:,} bytes (limits.answer_bytes); "
                        "ask for smaller pages there, or raise the limit"
                    )
            plain = {k: v for k, v in response.headers.items() if k not in ("content-encoding", "content-length")}
            whole = httpx2.Response(response.status_code, headers=plain, content=bytes(body), request=response.request)
        # Scythe takes what is no XML for an answer without an error, or trips over it; so it does over odd error codes.
        try:
            raise_unknown_error(whole.content)
        except AnswerUnreadable:
            whole.raise_for_status()
            raise
        return whole


class OaiPmhClient:
    """One format (and set) of one repository."""

    def __init__(
        self,
        url: str,
        *,
        prefix: str,
        set_spec: str = "",
        login: Login | None = None,
        timeout: float = 60,
        retries: int = 5,
        answer_bytes: int = 64_000_000,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.url = url
        self._prefix = prefix
        self._set = set_spec
        self._retries = retries
        self._sleep = sleep
        auth = login.auth if login else None
        self._scythe = _Bounded(url, http_config=HTTPConfig(timeout=timeout, auth=auth, user_agent="holdfast"))
        self._scythe.answer_bytes = answer_bytes
        self.requests = 0

    def __enter__(self) -> OaiPmhClient:
        return self

    def __exit__(self, *_: object) -> None:
        self._scythe.close()

    def identify(self) -> Identified:
        """Raises RepositoryError."""
        return self._ask({"verb": "Identify"}, parse_identify)

    def pages(self, verb: str, bounds: Bounds | None = None) -> Iterator[OaiPage]:
        """Pages of ListRecords or ListIdentifiers, whole if nothing is raised. No record that matches: no page.

        Raises:
            TokenExpired: in the middle; what came before has to be thrown away.
            RepositoryError: any other way in which the list is not whole.
        """
        query = {"verb": verb, "metadataPrefix": self._prefix}
        if self._set:
            query["set"] = self._set
        if bounds:
            query |= {"from": bounds.from_, "until": bounds.until}
        tokens: set[str] = set()
        while True:
            try:
                page = self._ask(query, lambda data: parse_page(data, verb))
            except (NoRecordsMatch, OaiError) as error:
                if tokens:
                    raise TokenExpired(f"{self._asked(query)}: noRecordsMatch in the middle of a list") from error
                return
            yield page
            if not page.token:
                return
            if page.token in tokens:
                raise RepositoryError(
                    f"{self._asked(query)}: the repository gives the token {page.token!r} a second time"
                )
            tokens.add(page.token)
            query = {"verb": verb, "resumptionToken": page.token}

    def record(self, identifier: str) -> OaiItem:
        """One record (GetRecord).

        Raises:
            PageUnreadable: it is no XML.
            RepositoryError: the repository does not give it.
        """
        query = {"verb": "GetRecord", "identifier": identifier, "metadataPrefix": self._prefix}
        page = self._ask(query, lambda data: parse_page(data, "GetRecord"))
        if len(page.items) != 1:
            raise RepositoryError(f"{self._asked(query)}: {len(page.items)} records where one was asked for")
        return page.items[0]

    def _asked(self, query: dict[str, str]) -> str:
        return f"{self.url} " + " ".join(f"{name}={value}" for name, value in query.items())

    def _ask(self, query: dict[str, str], parse: Callable[[bytes], _T]) -> _T:
        failures = 0
        while True:
            self.requests += 1
            pause: float | None = None
            unreadable = False
            try:
                return parse(self._scythe.harvest(query).http_response.content)
            except NoRecordsMatch:
                raise
            except BadResumptionToken as error:
                raise TokenExpired(f"{self._asked(query)}: badResumptionToken: {error}") from error
            except OaiError as error:
                if error.code == "badResumptionToken":
                    raise TokenExpired(f"{self._asked(query)}: {error}") from error
                if error.code == "noRecordsMatch":
                    raise
                raise RepositoryError(f"{self._asked(query)}: {error}") from error
            except OAIPMHException as error:
                name = type(error).__name__
                raise RepositoryError(f"{self._asked(query)}: {name[:1].lower()}{name[1:]}: {error}") from error
            except httpx2.HTTPStatusError as error:
                answer = error.response
                if answer.status_code not in _PASSING:
                    moved = f"; it moved to {answer.headers['location']}" if "location" in answer.headers else ""
                    raise RepositoryError(f"{self._asked(query)}: HTTP {answer.status_code}{moved}") from error
                said = f"HTTP {answer.status_code}"
                pause = pause_of(answer.headers.get("retry-after", ""))
            except httpx2.TransportError as error:
                said = f"{type(error).__name__}: {error}"
            except AnswerUnreadable as error:
                said, unreadable = str(error), True
            failures += 1
            if failures > self._retries:
                kind = PageUnreadable if unreadable else RepositoryError
                raise kind(f"{self._asked(query)}: {said}, {failures} times")
            self._sleep(min(2.0 ** (failures - 1), 60) if pause is None else pause)
