"""Koha's lists (`/api/v1`): how they are asked for, walked and dated."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping, Sequence
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import orjson

from resources.ils.client import Written
from resources.ils.errors import RefusedError
from resources.ils.session import Call, Session

PAGE = 500
IDS_IN_A_QUERY = 100
NUMBER = re.compile(r"[0-9]{1,18}\Z")


class KohaLists:
    """What reads of all kinds have in common. `_session` is the login."""

    _session: Session

    def _get(
        self, path: str, correlation_ids: Sequence[str] = (), *, accept: str = "application/json", **params: Any
    ) -> httpx.Response:
        if "q" in params:
            params["q"] = orjson.dumps(params["q"]).decode()
        return self._session.send(Call("GET", path, correlation_ids, params=params, headers={"Accept": accept}))

    def _rows(
        self,
        path: str,
        id_name: str,
        query: Mapping[str, Any],
        correlation_ids: Sequence[str] = (),
        *,
        last: int | str = 0,
        **more: Any,
    ) -> Iterator[list[dict[str, Any]]]:
        """Pages of a list by id, after the id `last`: a row that changes meanwhile moves to no other page."""
        while True:
            answer = self._get(
                path,
                correlation_ids,
                q={**query, id_name: {**query.get(id_name, {}), ">": last}},
                _order_by=f"+{id_name}",
                _per_page=PAGE,
                **more,
            )
            rows = orjson.loads(answer.content)
            if rows:
                yield rows
            if len(rows) < PAGE:
                return
            last = rows[-1][id_name]


def clock_of(response: httpx.Response) -> str:
    """The server's own clock at its answer, else ours."""
    stated = response.headers.get("Date", "")
    try:
        moment = parsedate_to_datetime(stated)
    except ValueError:
        moment = dt.datetime.now(dt.UTC)
    return moment.astimezone(dt.UTC).replace(microsecond=0).isoformat()


def to_the_second(moment: str) -> str:
    """RFC 3339 with the resolution that Koha's timestamps have."""
    return dt.datetime.fromisoformat(moment).astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def refusal(key: str, error: RefusedError) -> Written:
    """What is gone, or that something stands against, is a conflict; what Koha takes for wrong has failed."""
    return Written(key, "conflicted" if error.status in (404, 409) else "failed", answer=str(error))
