"""The repository as a web application, with its faults.

`POST /_demo/faults` takes the rules of demo/ils/faults.py; `POST /_demo/spoil` one more kind, for answers that HTTP calls
whole and that are not: `{"kind": "cut_xml", "times": 1}` (`cut_xml`, `bad_character`, `not_xml`, `doctype`), and
`POST /_demo/expire` lets all resumption tokens expire.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from demo.ils.faults import Faults, FaultsMiddleware
from demo.repository.oai import OaiPmh
from demo.repository.sru import Sru
from demo.repository.store import Store

SPOILED = ("cut_xml", "bad_character", "not_xml", "doctype")


class Repository:
    """The application `app`, and what tests and people turn: `store`, `oai`, `sru`, `faults`, `spoil`, `asked`."""

    def __init__(self, store: Store, *, page_items: int = 50) -> None:
        self.store = store
        self.oai = OaiPmh(store, page_items=page_items)
        self.sru = Sru(store, most_records=page_items)
        self.faults = Faults()
        self.spoil: list[str] = []
        self.expire_after: list[int] = []
        self.asked: list[dict[str, str]] = []
        self.login: tuple[str, str] | None = None
        self.app = Starlette(
            routes=[
                Route("/oai", self._oai, methods=["GET", "POST"]),
                Route("/sru", self._sru),
                Route("/_demo/faults", self._set_faults, methods=["POST", "DELETE"]),
                Route("/_demo/spoil", self._set_spoil, methods=["POST"]),
                Route("/_demo/expire", self._expire, methods=["POST"]),
            ]
        )
        self.app.add_middleware(FaultsMiddleware, faults=self.faults)

    async def _oai(self, request: Request) -> Response:
        query = dict(request.query_params) | dict(parse_qsl((await request.body()).decode()))
        if "resumptionToken" in query and self.expire_after:
            self.expire_after[0] -= 1
            if self.expire_after[0] <= 0:
                self.expire_after.pop(0)
                self.store.expire_tokens()
        return self._answer(request, query, lambda: self.oai.answer(str(request.url.replace(query="")), query))

    async def _sru(self, request: Request) -> Response:
        query = dict(request.query_params)
        return self._answer(request, query, lambda: self.sru.answer(query))

    def _answer(self, request: Request, query: dict[str, str], make: Any) -> Response:
        if self.login is not None and not _has_login(request, self.login):
            return Response("who are you?", 401, {"WWW-Authenticate": "Basic"}, "text/plain")
        self.asked.append(query)
        text = make()
        if self.spoil:
            text = _spoiled(text, self.spoil.pop(0))
        return Response(text.encode(), 200, media_type="text/xml; charset=utf-8")

    async def _set_faults(self, request: Request) -> Response:
        if request.method == "DELETE":
            self.faults.clear()
        else:
            self.faults.add(await request.json())
        return JSONResponse(self.faults.shown())

    async def _set_spoil(self, request: Request) -> Response:
        given = await request.json()
        if given.get("kind") not in SPOILED:
            return JSONResponse({"kind": f"one of {', '.join(SPOILED)}"}, 400)
        self.spoil += [given["kind"]] * int(given.get("times", 1))
        return JSONResponse(self.spoil)

    async def _expire(self, request: Request) -> Response:
        self.store.expire_tokens()
        return JSONResponse({})


def _has_login(request: Request, login: tuple[str, str]) -> bool:
    import base64

    expected = "Basic " + base64.b64encode(":".join(login).encode()).decode()
    return request.headers.get("authorization", "") == expected


def _spoiled(text: str, kind: str) -> str:
    if kind == "cut_xml":
        return text[: len(text) * 2 // 3]
    if kind == "bad_character":
        middle = text.rindex("</")
        return text[:middle] + "\x0b" + text[middle:]
    if kind == "doctype":
        head, _, rest = text.partition("\n")
        return f'{head}\n<!DOCTYPE OAI-PMH [<!ENTITY a "aaaaaaaaaa">]>{rest}'
    return "<html><body><p>Down for maintenance<br></body></html>"
