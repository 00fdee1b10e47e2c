"""Published answers of real repositories, replayed on loopback."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from lxml import etree

from holdfast.harvest.answers import parse_answer
from holdfast.harvest.marcxml import NAMESPACE, marc_record
from holdfast.harvest.oai import OaiError, parse_page
from resources.oai_pmh.client import OaiPmhClient, RepositoryError, TokenExpired
from resources.oai_pmh.pauses import LONGEST_PAUSE, pause_of


class Replay:
    """Answers one request after the other with what `answers` holds; the last one for ever."""

    def __init__(self) -> None:
        replay = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                replay.asked.append(self.path)
                body = replay.answers.pop(0) if len(replay.answers) > 1 else replay.answers[0]
                self.send_response(replay.status)
                for name, value in {"Content-Length": str(len(body)), **replay.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None: ...

        self.answers: list[bytes] = []
        self.asked: list[str] = []
        self.status = 200
        self.headers: dict[str, str] = {}
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/oai"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()


@pytest.fixture
def replay() -> Iterator[Replay]:
    found = Replay()
    yield found
    found.server.shutdown()
    found.thread.join()
    found.server.server_close()


@pytest.fixture
def client(replay: Replay) -> Iterator[OaiPmhClient]:
    with OaiPmhClient(replay.url, prefix="oai_dc", retries=1, sleep=lambda _: None) as found:
        yield found


def verb_of(data: bytes) -> str:
    return next((etree.QName(each).localname for each in parse_answer(data) if "List" in each.tag), "")


def test_every_published_list_is_read_as_it_counts_itself(data: Path, replay: Replay, client: OaiPmhClient) -> None:
    files = [*(data / "oai-pmh").rglob("*List*.xml"), *(data / "oai-pmh/traject").glob("*.xml")]
    read = 0
    for file in sorted(files):
        content = file.read_bytes()
        verb = verb_of(content)
        if verb not in ("ListRecords", "ListIdentifiers"):
            continue
        replay.answers = [content]
        items = parse_page(content, verb).items
        assert len(items) == content.count(b"<header") or len(items) == content.count(b":header "), file.name
        assert all(item.identifier and item.datestamp for item in items), file.name
        pages = client.pages(verb)
        assert [item.identifier for item in next(pages).items] == [item.identifier for item in items]
        read += 1
    assert read >= 10


def test_published_errors_are_errors_and_no_match_is_an_empty_list(
    data: Path, replay: Replay, client: OaiPmhClient
) -> None:
    seen = set()
    for file in sorted((data / "oai-pmh").rglob("*.xml")):
        content = file.read_bytes()
        if b"<error" not in content:
            continue
        with pytest.raises(OaiError) as said:
            parse_page(content, "ListRecords")
        seen.add(said.value.code)
        replay.answers = [content]
        if said.value.code == "noRecordsMatch":
            assert list(client.pages("ListRecords")) == []
        else:
            with pytest.raises(RepositoryError, match=said.value.code):
                list(client.pages("ListRecords"))
    assert "noRecordsMatch" in seen and len(seen) > 1


def test_deleted_records_of_published_lists_are_deleted(data: Path) -> None:
    content = (data / "oai-pmh/dspace/21-GetRecord-get-records-include-deleted.xml").read_bytes()
    page = parse_page(content, "GetRecord")
    assert [item.deleted for item in page.items] == [b'status="deleted"' in content]


PAGE = (
    "<OAI-PMH><ListRecords><record><header><identifier>oai:x:1</identifier><datestamp>2026-03-10</datestamp></header>"
    "<metadata><record><leader>00000nam a2200000 i 4500</leader><controlfield tag='001'>1</controlfield>"
    "<datafield tag='245' ind1=' ' ind2=' '><subfield code='a'> x </subfield></datafield></record></metadata></record>"
    "{}</ListRecords></OAI-PMH>"
)


def test_a_repository_without_namespaces_is_read_and_its_records_get_theirs() -> None:
    (item,) = parse_page(PAGE.format("").encode(), "ListRecords").items
    assert item.metadata is not None
    marc = marc_record(item.metadata)
    root = etree.fromstring(marc.xml)
    assert {etree.QName(each).namespace for each in root.iter()} == {NAMESPACE}
    assert (marc.number, root.findtext(f".//{{{NAMESPACE}}}subfield")) == ("1", " x ")


def test_a_token_that_comes_back_is_no_endless_list(replay: Replay, client: OaiPmhClient) -> None:
    replay.answers = [PAGE.format("<resumptionToken>again</resumptionToken>").encode()]
    with pytest.raises(RepositoryError, match="a second time"):
        list(client.pages("ListRecords"))


def test_no_match_in_the_middle_of_a_list_is_no_end(replay: Replay, client: OaiPmhClient) -> None:
    error = b'<OAI-PMH><error code="noRecordsMatch"/></OAI-PMH>'
    replay.answers = [PAGE.format("<resumptionToken>t</resumptionToken>").encode(), error]
    with pytest.raises(TokenExpired):
        list(client.pages("ListRecords"))


def test_an_error_code_that_nobody_knows_is_an_error(replay: Replay, client: OaiPmhClient) -> None:
    for code in ("", "__doc__", "annotations", "tooBusy"):
        replay.answers = [
            f'<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/"><error code="{code}">no</error></OAI-PMH>'.encode()
        ]
        with pytest.raises(RepositoryError):
            list(client.pages("ListRecords"))


def test_an_address_that_moved_says_where_to(replay: Replay, client: OaiPmhClient) -> None:
    replay.answers, replay.status, replay.headers = [b"moved"], 301, {"Location": "https://new.example.org/oai"}
    with pytest.raises(RepositoryError, match=r"moved to https://new\.example\.org/oai"):
        list(client.pages("ListRecords"))
    assert len(replay.asked) == 1


def test_a_compressed_answer_is_bounded_by_what_it_becomes(replay: Replay) -> None:
    import gzip

    replay.answers, replay.headers = [gzip.compress(b"<a>" + b" " * 20_000_000)], {"Content-Encoding": "gzip"}
    with (
        OaiPmhClient(replay.url, prefix="marc21", answer_bytes=1_000_000, retries=0) as client,
        pytest.raises(RepositoryError, match="an answer above 1,000,000 bytes"),
    ):
        client.identify()


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7), ("0", 0), ("86400", LONGEST_PAUSE), ("", None), ("soon", None), ("-5", None),
     ("Wed, 21 Oct 2015 07:28:00 GMT", 0), ("Wed, 21 Oct 2099 07:28:00 GMT", LONGEST_PAUSE)],
)  # fmt: skip
def test_a_pause_is_what_the_server_asks_for_within_reason(header: str, seconds: float | None) -> None:
    assert pause_of(header) == seconds
