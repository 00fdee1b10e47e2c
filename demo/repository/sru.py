"""SRU 1.2 searchRetrieve over the store's MARCXML: `rec.changeDate = 2026-03-10` (also >=, <=) and `cql.allRecords = 1`."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from xml.sax.saxutils import escape

from demo.repository.store import Item, Store

_CLAUSE = re.compile(r'\s*(rec\.changeDate|cql\.allRecords)\s*(=|>=|<=)\s*"?([\w-]+)"?\s*')
_END = dt.timedelta(days=1) - dt.timedelta(seconds=1)


class Diagnosed(Exception):
    def __init__(self, number: int, message: str, details: str = "") -> None:
        super().__init__(message)
        self.number, self.details = number, details


class Sru:
    """Answers over a store. most_records: what the server gives at once, whatever it is asked for.

    `packing`: 'xml' or 'string'. `surrogates`: identifiers of records that it can't give.
    """

    def __init__(self, store: Store, *, most_records: int = 50) -> None:
        self.store = store
        self.most_records = most_records
        self.packing = "xml"
        self.says_next = True
        self.surrogates: set[str] = set()

    def answer(self, query: Mapping[str, str]) -> str:
        try:
            body = self._search(query)
        except Diagnosed as error:
            details = f"<details>{escape(error.details)}</details>" if error.details else ""
            body = (
                "<numberOfRecords>0</numberOfRecords><diagnostics>"
                '<diagnostic xmlns="http://www.loc.gov/zing/srw/diagnostic/">'
                f"<uri>info:srw/diagnostic/1/{error.number}</uri>{details}<message>{escape(str(error))}</message>"
                "</diagnostic></diagnostics>"
            )
        return (
            '<?xml version="1.0" encoding="UTF-8"?>\n<searchRetrieveResponse xmlns="http://www.loc.gov/zing/srw/">'
            f"<version>1.2</version>{body}</searchRetrieveResponse>"
        )

    def _search(self, query: Mapping[str, str]) -> str:
        if query.get("operation") != "searchRetrieve":
            raise Diagnosed(4, "Unsupported operation", query.get("operation", ""))
        if query.get("recordSchema", "marcxml") not in ("marcxml", "info:srw/schema/1/marcxml-v1.1"):
            raise Diagnosed(66, "Unknown schema for retrieval", query["recordSchema"])
        found = self._found(query.get("query", ""))
        start, count = int(query.get("startRecord", "1")), int(query.get("maximumRecords", "10"))
        if found and start > len(found):
            raise Diagnosed(61, "First record position out of range", str(start))
        end = start - 1 + min(count, self.most_records)
        records = "".join(self._record(each, start + n) for n, each in enumerate(found[start - 1 : end]))
        body = f"<numberOfRecords>{len(found)}</numberOfRecords>" + (f"<records>{records}</records>" if records else "")
        if end < len(found) and self.says_next:
            body += f"<nextRecordPosition>{end + 1}</nextRecordPosition>"
        return body

    def _found(self, query: str) -> list[Item]:
        first = last = None
        for clause in re.split(r"\s+and\s+", query, flags=re.IGNORECASE):
            parsed = _CLAUSE.fullmatch(clause)
            if parsed is None:
                raise Diagnosed(10, "Query syntax error", query)
            index, relation, term = parsed.groups()
            if index == "cql.allRecords":
                continue
            try:
                day = dt.datetime.combine(dt.date.fromisoformat(term), dt.time(), dt.UTC)
            except ValueError as error:
                raise Diagnosed(36, "Term in invalid format for index or relation", term) from error
            first = day if relation in ("=", ">=") else first
            last = day + _END if relation in ("=", "<=") else last
        return [each for each in self.store.between(first, last) if not each.deleted and "marc21" in each.forms]

    def _record(self, item: Item, position: int) -> str:
        xml, schema = item.forms["marc21"], "info:srw/schema/1/marcxml-v1.1"
        if item.identifier in self.surrogates:
            schema = "info:srw/schema/1/diagnostics-v1.1"
            xml = (
                '<diagnostic xmlns="http://www.loc.gov/zing/srw/diagnostic/"><uri>info:srw/diagnostic/1/64</uri>'
                "<message>Record temporarily unavailable</message></diagnostic>"
            )
        data = escape(xml) if self.packing == "string" else xml
        return (
            f"<record><recordSchema>{schema}</recordSchema><recordPacking>{self.packing}</recordPacking>"
            f"<recordData>{data}</recordData><recordIdentifier>{escape(item.identifier)}</recordIdentifier>"
            f"<recordPosition>{position}</recordPosition></record>"
        )
