"""OAI-PMH 2.0, the verbs that a harvester needs, answered strictly: what is not allowed is an error of section 3.6."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import replace
from xml.sax.saxutils import escape, quoteattr

from demo.repository.store import Item, Listed, Store

FORMATS = {
    "marc21": ("http://www.loc.gov/standards/marcxml/schema/MARC21slim.xsd", "http://www.loc.gov/MARC21/slim"),
    "oai_dc": ("http://www.openarchives.org/OAI/2.0/oai_dc.xsd", "http://www.openarchives.org/OAI/2.0/oai_dc/"),
    "lido": ("http://www.lido-schema.org/schema/v1.1/lido-v1.1.xsd", "http://www.lido-schema.org"),
}
_ALLOWED = {
    "Identify": set(),
    "ListMetadataFormats": {"identifier"},
    "ListSets": {"resumptionToken"},
    "ListRecords": {"from", "until", "metadataPrefix", "set", "resumptionToken"},
    "ListIdentifiers": {"from", "until", "metadataPrefix", "set", "resumptionToken"},
    "GetRecord": {"identifier", "metadataPrefix"},
}
SECONDS, DAYS = "YYYY-MM-DDThh:mm:ssZ", "YYYY-MM-DD"


class Refused(Exception):
    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class OaiPmh:
    """Answers over a store. `granularity`, `page_items` and `says_size` may be changed while it runs."""

    def __init__(self, store: Store, *, page_items: int = 50) -> None:
        self.store = store
        self.page_items = page_items
        self.granularity = SECONDS
        self.says_size = True

    def answer(self, base_url: str, query: Mapping[str, str]) -> str:
        verb = query.get("verb", "")
        try:
            body, shown = self._verb(verb, query), query
        except Refused as error:
            body = f'<error code="{error.code}">{escape(str(error))}</error>'
            shown = {} if error.code in ("badVerb", "badArgument") else query
        attributes = "".join(f" {name}={quoteattr(value)}" for name, value in shown.items())
        now = self._shown(dt.datetime.now(dt.UTC), SECONDS)
        return (
            '<?xml version="1.0" encoding="UTF-8"?>\n<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/">'
            f"<responseDate>{now}</responseDate><request{attributes}>{escape(base_url)}</request>{body}</OAI-PMH>"
        )

    def _verb(self, verb: str, query: Mapping[str, str]) -> str:
        if verb not in _ALLOWED:
            raise Refused("badVerb", f"no verb {verb!r}")
        unknown = query.keys() - _ALLOWED[verb] - {"verb"}
        if unknown or ("resumptionToken" in query and len(query) > 2):
            raise Refused(
                "badArgument", f"not allowed: {', '.join(sorted(unknown)) or 'arguments beside resumptionToken'}"
            )
        if verb == "Identify":
            return self._identify()
        if verb == "ListMetadataFormats":
            return f"<ListMetadataFormats>{''.join(_format(name) for name in FORMATS)}</ListMetadataFormats>"
        if verb == "ListSets":
            names = sorted({name for each in self.store.items.values() for name in each.sets})
            return (
                "<ListSets>"
                + "".join(f"<set><setSpec>{n}</setSpec><setName>{n}</setName></set>" for n in names)
                + "</ListSets>"
            )
        if verb == "GetRecord":
            return f"<GetRecord>{self._get(query)}</GetRecord>"
        return self._list(verb, query)

    def _identify(self) -> str:
        earliest = min(
            (each.datestamp for each in self.store.items.values()), default=dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
        )
        return (
            "<Identify><repositoryName>Holdfast demo repository</repositoryName><baseURL>http://127.0.0.1/oai</baseURL>"
            "<protocolVersion>2.0</protocolVersion><adminEmail>demo@example.org</adminEmail>"
            f"<earliestDatestamp>{self._shown(earliest)}</earliestDatestamp><deletedRecord>persistent</deletedRecord>"
            f"<granularity>{self.granularity}</granularity></Identify>"
        )

    def _get(self, query: Mapping[str, str]) -> str:
        prefix = self._prefix(query)
        item = self.store.items.get(query.get("identifier", ""))
        if item is None:
            raise Refused("idDoesNotExist", query.get("identifier", ""))
        if not item.deleted and prefix not in item.forms:
            raise Refused("cannotDisseminateFormat", prefix)
        return self._record(item, prefix)

    @staticmethod
    def _prefix(query: Mapping[str, str]) -> str:
        prefix = query.get("metadataPrefix", "")
        if not prefix:
            raise Refused("badArgument", "metadataPrefix is missing")
        if prefix not in FORMATS:
            raise Refused("cannotDisseminateFormat", prefix)
        return prefix

    def _list(self, verb: str, query: Mapping[str, str]) -> str:
        if "resumptionToken" in query:
            listed = self.store.tokens.get(query["resumptionToken"])
            if listed is None or listed.verb != verb:
                raise Refused("badResumptionToken", "unknown or expired")
        else:
            prefix = self._prefix(query)
            first, last = self._moment(query.get("from", ""), False), self._moment(query.get("until", ""), True)
            if len({len(query[name]) for name in ("from", "until") if name in query}) > 1:
                raise Refused("badArgument", "from and until differ in granularity")
            found = self.store.between(first, last, query.get("set", ""))
            items = [each for each in found if each.deleted or prefix in each.forms]
            if not items:
                raise Refused("noRecordsMatch", "nothing there")
            listed = Listed(items, 0, prefix, verb)
        return self._page(listed)

    def _page(self, listed: Listed) -> str:
        end = listed.position + self.page_items
        items = listed.items[listed.position : end]
        show = self._header if listed.verb == "ListIdentifiers" else lambda each: self._record(each, listed.prefix)
        body = "".join(show(each) for each in items)
        if listed.position or end < len(listed.items):
            size = f' completeListSize="{len(listed.items)}"' if self.says_size else ""
            token = self.store.keep(replace(listed, position=end)) if end < len(listed.items) else ""
            body += f'<resumptionToken{size} cursor="{listed.position}">{token}</resumptionToken>'
        return f"<{listed.verb}>{body}</{listed.verb}>"

    def _header(self, item: Item) -> str:
        status = ' status="deleted"' if item.deleted else ""
        sets = "".join(f"<setSpec>{name}</setSpec>" for name in item.sets)
        return (
            f"<header{status}><identifier>{escape(item.identifier)}</identifier>"
            f"<datestamp>{self._shown(item.datestamp)}</datestamp>{sets}</header>"
        )

    def _record(self, item: Item, prefix: str) -> str:
        metadata = "" if item.deleted else f"<metadata>{item.forms[prefix]}</metadata>"
        return f"<record>{self._header(item)}{metadata}</record>"

    def _shown(self, moment: dt.datetime, granularity: str = "") -> str:
        return moment.strftime("%Y-%m-%dT%H:%M:%SZ" if (granularity or self.granularity) == SECONDS else "%Y-%m-%d")

    def _moment(self, text: str, end: bool) -> dt.datetime | None:
        if not text:
            return None
        if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
            text += "T23:59:59Z" if end else "T00:00:00Z"
        elif self.granularity == DAYS:
            raise Refused("badArgument", f"{text}: this repository has days only")
        try:
            return dt.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=dt.UTC)
        except ValueError as error:
            raise Refused("badArgument", f"{text}: no date") from error


def _format(name: str) -> str:
    schema, namespace = FORMATS[name]
    return (
        f"<metadataFormat><metadataPrefix>{name}</metadataPrefix><schema>{schema}</schema>"
        f"<metadataNamespace>{namespace}</metadataNamespace></metadataFormat>"
    )
