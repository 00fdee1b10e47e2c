"""Koha's OAI-PMH server: by the moment at which a record's MARC changed, deleted records too (`persistent`)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import orjson

from demo.ils.store import Store
from demo.koha import marc

ARCHIVE = "KOHA-DEMO"
PREFIXES = ("marcxml", "marc21")
_NEEDS = {
    "Identify": set[str](),
    "ListMetadataFormats": {"identifier"},
    "GetRecord": {"identifier", "metadataPrefix"},
    "ListRecords": {"from", "until", "metadataPrefix", "resumptionToken"},
    "ListIdentifiers": {"from", "until", "metadataPrefix", "resumptionToken"},
}
_BOTH = (
    "SELECT id, marc_stamp, marc, 0 AS deleted FROM biblio {where} UNION ALL "
    "SELECT id, marc_stamp, marc, 1 FROM deleted_biblio {where}"
)


class OaiRefused(Exception):
    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


def _shown(stamp: str) -> str:
    return stamp[:19] + "Z"


def _moment(text: str, end: bool) -> str:
    try:
        if len(text) == 10:
            text += "T23:59:59Z" if end else "T00:00:00Z"
        return dt.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=dt.UTC).isoformat()
    except ValueError as error:
        raise OaiRefused("badArgument", f"{text}: no date") from error


def answer(store: Store, base_url: str, arguments: Mapping[str, str], most: int) -> str:
    try:
        body = _verb(store, arguments, most)
    except OaiRefused as error:
        body = f'<error code="{error.code}">{escape(str(error))}</error>'
    attributes = (
        "".join(f" {name}={quoteattr(value)}" for name, value in arguments.items()) if "<error" not in body else ""
    )
    now = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/">'
        f"<responseDate>{now}</responseDate><request{attributes}>{escape(base_url)}</request>{body}</OAI-PMH>"
    )


def _verb(store: Store, arguments: Mapping[str, str], most: int) -> str:
    verb = arguments.get("verb", "")
    if verb not in _NEEDS:
        raise OaiRefused("badVerb", f"no verb {verb!r}")
    unknown = arguments.keys() - _NEEDS[verb] - {"verb"}
    if unknown:
        raise OaiRefused("badArgument", f"not allowed: {', '.join(sorted(unknown))}")
    if verb == "Identify":
        return (
            "<Identify><repositoryName>Koha demo</repositoryName><baseURL>http://127.0.0.1/cgi-bin/koha/oai.pl</baseURL>"
            "<protocolVersion>2.0</protocolVersion><adminEmail>demo@example.org</adminEmail><earliestDatestamp>"
            "2020-01-01T00:00:00Z</earliestDatestamp><deletedRecord>persistent</deletedRecord>"
            "<granularity>YYYY-MM-DDThh:mm:ssZ</granularity></Identify>"
        )
    if verb == "ListMetadataFormats":
        formats = "".join(
            f"<metadataFormat><metadataPrefix>{name}</metadataPrefix><schema>"
            "http://www.loc.gov/standards/marcxml/schema/MARC21slim.xsd</schema><metadataNamespace>"
            "http://www.loc.gov/MARC21/slim</metadataNamespace></metadataFormat>"
            for name in PREFIXES
        )
        return f"<ListMetadataFormats>{formats}</ListMetadataFormats>"
    if verb == "GetRecord":
        return f"<GetRecord>{_one(store, arguments)}</GetRecord>"
    return _list(store, arguments, verb, most)


def _prefix(text: str) -> str:
    if not text:
        raise OaiRefused("badArgument", "metadataPrefix is missing")
    if text not in PREFIXES:
        raise OaiRefused("cannotDisseminateFormat", text)
    return text


def _one(store: Store, arguments: Mapping[str, str]) -> str:
    _prefix(arguments.get("metadataPrefix", ""))
    archive, _, number = arguments.get("identifier", "").rpartition(":")
    with store.reading() as connection:
        row = connection.execute(
            _BOTH.format(where="WHERE id = ?"), (int(number) if number.isdecimal() else -1,) * 2
        ).fetchone()
    if row is None or archive != ARCHIVE:
        raise OaiRefused("idDoesNotExist", arguments.get("identifier", ""))
    return _record(row, False)


def _list(store: Store, arguments: Mapping[str, str], verb: str, most: int) -> str:
    """A resumption token holds all that the next page needs, as Koha's: prefix/cursor/from/until."""
    if token := arguments.get("resumptionToken"):
        parts = token.split("/")
        if len(parts) != 4 or not parts[1].isdecimal():
            raise OaiRefused("badResumptionToken", token)
        prefix, cursor, first, last = parts[0], int(parts[1]), parts[2], parts[3]
    else:
        prefix, cursor = _prefix(arguments.get("metadataPrefix", "")), 0
        first = _moment(arguments.get("from", "1970-01-01"), False)
        last = _moment(arguments.get("until", "2999-12-31"), True)
    with store.reading() as connection:
        rows = connection.execute(
            _BOTH.format(where="WHERE marc_stamp BETWEEN ? AND ?") + " ORDER BY 2, 1 LIMIT ? OFFSET ?",
            (first, last, first, last, most + 1, cursor),
        ).fetchall()
    if not rows:
        raise OaiRefused("noRecordsMatch", "nothing there")
    body = "".join(_record(row, verb == "ListIdentifiers") for row in rows[:most])
    more = f"{prefix}/{cursor + most}/{first}/{last}" if len(rows) > most else ""
    if more or cursor:
        body += f'<resumptionToken cursor="{cursor}">{more}</resumptionToken>'
    return f"<{verb}>{body}</{verb}>"


def _record(row: Any, header_only: bool) -> str:
    number, stamp, content, deleted = row
    status = ' status="deleted"' if deleted else ""
    header = (
        f"<header{status}><identifier>{ARCHIVE}:{number}</identifier><datestamp>{_shown(stamp)}</datestamp></header>"
    )
    if header_only:
        return header
    metadata = "" if deleted else f"<metadata>{marc.as_xml(orjson.loads(content)).decode()}</metadata>"
    return f"<record>{header}{metadata}</record>"
