"""Windows are fetched whole from a real repository, sealed once, and what is deleted there arrives as deleted."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from demo.repository.oai import DAYS
from holdfast.environment import read_environment
from holdfast.harvest.answers import parse_answer
from holdfast.harvest.completeness import HELD
from holdfast.harvest.marcxml import NAMESPACE
from holdfast.privacy.masking import MaskingRules
from holdfast.settings import Settings, parse_settings
from resources.lake.client import Lake
from resources.oai_pmh.client import RepositoryError
from resources.postgres.client import Postgres
from resources.postgres.drops import Drops
from resources.postgres.harvest_log import HarvestLog
from resources.repositories.client import Repositories
from resources.vault.client import Vault
from resources.vault.harvest import Harvest, harvest_window
from tests.conftest import SALT
from tests.demo_repository import DemoRepository, running

pytestmark = pytest.mark.services
DAY = dt.date(2026, 3, 10)
NOON = dt.datetime(2026, 3, 10, 12, tzinfo=dt.UTC)
NAME = "union"


@pytest.fixture
def repository() -> Iterator[DemoRepository]:
    with running(page_items=4) as found:
        yield found


class Harvester:
    """A library of its own that harvests one source."""

    def __init__(self, folder: Path, postgres: Postgres, table: str) -> None:
        self.settings: Settings = parse_settings(
            f'[library]\nname = "L"\n[sources.{NAME}]\nretries = 2\ntimeout_seconds = 10\n{table}', root=folder
        )
        self.lake, self.vault, self.postgres = Lake(folder / "lake"), Vault(folder / "vault", b"k" * 32), postgres
        self.slept: list[float] = []
        self.repositories = Repositories(self.settings, read_environment, sleep=self.slept.append)

    def __call__(self, day: dt.date = DAY) -> Harvest:
        rules = MaskingRules(self.settings.masking.fields, self.settings.masking.notes_when_private)
        return harvest_window(
            self.settings,
            self.lake,
            self.postgres,
            self.vault,
            NAME,
            day.isoformat(),
            rules,
            SALT.encode(),
            "run-1",
            None,
            self.repositories,
        )

    def drops(self, day: dt.date = DAY) -> list[str]:
        return [drop.sha256 for drop in Drops(self.postgres).of(NAME, day)]

    def records(self, day: dt.date = DAY) -> list[dict[str, str]]:
        """001, 003, 005, 245 $a and leader/05 of every record in the sealed drops of the day, in their order."""
        found = []
        for sha256 in self.drops(day):
            with self.vault.open(sha256) as stream:
                root = parse_answer(stream.read())
            assert root.tag == f"{{{NAMESPACE}}}collection"
            for record in root:
                assert record.tag == f"{{{NAMESPACE}}}record"
                row = {"status": (record.findtext(f"{{{NAMESPACE}}}leader") or "")[5]}
                for each in record.iter(f"{{{NAMESPACE}}}controlfield"):
                    row[each.get("tag", "")] = each.text or ""
                row["245"] = "".join(record.xpath("*[@tag='245']/*[@code='a']/text()"))
                found.append(row)
        return found

    def identifiers(self, day: dt.date = DAY) -> pl.DataFrame:
        return self.lake.read("harvested_marc", f"{day}|{NAME}", "identifiers")

    def log(self, day: dt.date = DAY) -> list[dict[str, Any]]:
        return HarvestLog(self.postgres).of(NAME, day)


@pytest.fixture
def harvest(repository: DemoRepository, tmp_path: Path, postgres: Postgres) -> Harvester:
    return Harvester(tmp_path, postgres, f'kind = "oai-pmh"\nurl = "{repository.url}"\n')


def numbers(records: list[dict[str, str]]) -> list[str]:
    return [record["001"] for record in records]


def minutes(count: int) -> list[dt.datetime]:
    return [NOON + dt.timedelta(minutes=n) for n in range(count)]


# ---- OAI-PMH ----------------------------------------------------------------------------------------------------------


def test_a_window_is_fetched_over_all_pages_with_both_of_its_ends_and_nothing_beside(
    repository: DemoRepository, harvest: Harvester
) -> None:
    inside = [dt.datetime(2026, 3, 10, tzinfo=dt.UTC), *minutes(9), dt.datetime(2026, 3, 10, 23, 59, 59, tzinfo=dt.UTC)]
    for number, at in enumerate(inside):
        repository.book(f"b{number:02}", at)
    repository.book("before", dt.datetime(2026, 3, 9, 23, 59, 59, tzinfo=dt.UTC))
    repository.book("after", dt.datetime(2026, 3, 11, tzinfo=dt.UTC))
    got = harvest()

    assert numbers(harvest.records()) == [f"b{n:02}" for n in range(11)]
    (log,) = harvest.log()
    assert (log["state"], log["records"], log["complete_list_size"], log["new_records"]) == ("whole", 11, 11, 11)
    assert (log["window_from"], log["window_until"]) == ("2026-03-10T00:00:00Z", "2026-03-10T23:59:59Z")
    assert log["requests"] == 4 and log["drop_sha256"] == harvest.drops()[0]
    frame = harvest.identifiers()
    assert frame.schema == HELD and frame.height == 11
    assert got.drops == 1


def test_a_repository_of_days_is_asked_in_days(repository: DemoRepository, harvest: Harvester) -> None:
    repository.oai.granularity = DAYS
    repository.book("1", NOON)
    harvest()
    assert numbers(harvest.records()) == ["1"]
    asked = next(each for each in repository.asked if each["verb"] == "ListRecords")
    assert (asked["from"], asked["until"]) == ("2026-03-10", "2026-03-10")


def test_windows_meet_without_a_gap_and_share_nothing(repository: DemoRepository, harvest: Harvester) -> None:
    moments = [dt.datetime(2026, 3, 9, 23, 59, 58, tzinfo=dt.UTC) + dt.timedelta(seconds=n) for n in range(5)]
    for number, at in enumerate(moments):
        repository.book(str(number), at)
    days = [DAY - dt.timedelta(days=1), DAY]
    for day in days:
        harvest(day)
    assert [numbers(harvest.records(day)) for day in days] == [["0", "1"], ["2", "3", "4"]]


def test_only_the_set_is_asked_for(repository: DemoRepository, tmp_path: Path, postgres: Postgres) -> None:
    repository.book("1", NOON, sets=("books:ebooks",))
    repository.book("2", NOON, sets=("maps",))
    harvest = Harvester(tmp_path, postgres, f'kind = "oai-pmh"\nurl = "{repository.url}"\nset_spec = "books"\n')
    harvest()
    assert numbers(harvest.records()) == ["1"]


def test_an_empty_window_is_whole_and_leaves_no_drop(repository: DemoRepository, harvest: Harvester) -> None:
    got = harvest()
    assert (got.drops, got.records, got.rejected) == (0, 0, 0)
    assert harvest.drops() == []
    assert harvest.log()[0]["state"] == "whole"
    assert harvest.identifiers().height == 0


def test_fetched_again_a_window_seals_only_what_is_new(repository: DemoRepository, harvest: Harvester) -> None:
    for number, at in enumerate(minutes(6)):
        repository.book(str(number), at)
    harvest()
    harvest()
    assert len(harvest.drops()) == 1
    repository.book("3", NOON + dt.timedelta(hours=1), "Bleak house, corrected")
    repository.book("new", NOON)
    harvest()
    assert len(harvest.drops()) == 2
    assert numbers(harvest.records()) == ["0", "1", "2", "3", "4", "5", "new", "3"]
    assert [log["new_records"] for log in harvest.log()] == [6, 0, 2]
    first, second, third = (log["identifiers_sha256"] for log in harvest.log())
    assert first == second != third


@pytest.mark.parametrize("page", [1, 2])
def test_an_expired_token_starts_the_window_again_and_nothing_comes_twice(
    repository: DemoRepository, harvest: Harvester, page: int
) -> None:
    for number, at in enumerate(minutes(11)):
        repository.book(f"b{number:02}", at)
    repository.expire_after = [page]
    got = harvest()
    assert numbers(harvest.records()) == [f"b{n:02}" for n in range(11)]
    assert harvest.log()[0]["restarts"] == 1
    assert got.drops == 1


def test_tokens_that_always_expire_fail_the_window_and_leave_nothing(
    repository: DemoRepository, harvest: Harvester
) -> None:
    for number, at in enumerate(minutes(11)):
        repository.book(str(number), at)
    repository.expire_after = [1] * 20
    with pytest.raises(RepositoryError, match="badResumptionToken"):
        harvest()
    assert harvest.drops() == []
    assert not harvest.lake.exists("harvested_marc", f"{DAY}|{NAME}")
    assert not [path for path in harvest.vault._root.rglob("*") if path.is_file()]
    (log,) = harvest.log()
    assert log["state"] == "failed" and "badResumptionToken" in log["error"] and log["restarts"] == 4
    assert HarvestLog(harvest.postgres).fetched(NAME) == []


@pytest.mark.parametrize("fault", ["503", "500", "drop_before", "cut_answer"])
def test_a_passing_fault_costs_a_pause_and_no_record(
    repository: DemoRepository, harvest: Harvester, fault: str
) -> None:
    for number, at in enumerate(minutes(9)):
        repository.book(str(number), at)
    repository.fault(fault, times=2, **({"retry_after": 7} if fault == "503" else {}))
    harvest()
    assert numbers(harvest.records()) == [str(n) for n in range(9)]
    assert harvest.slept == ([7.0, 7.0] if fault == "503" else [1.0, 2.0])


@pytest.mark.parametrize("kind", ["cut_xml", "bad_character", "not_xml", "doctype"])
def test_an_answer_that_is_no_whole_xml_is_asked_for_again_and_never_taken_in_part(
    repository: DemoRepository, harvest: Harvester, kind: str
) -> None:
    for number, at in enumerate(minutes(9)):
        repository.book(str(number), at)
    repository.spoil = [kind]
    harvest()
    assert numbers(harvest.records()) == [str(n) for n in range(9)]
    repository.book("more", NOON)
    repository.spoil = [kind] * 100
    with pytest.raises(RepositoryError, match=r"3 times"):
        harvest()
    assert len(harvest.drops()) == 1
    assert [log["state"] for log in harvest.log()] == ["whole", "failed"]


def test_an_answer_above_the_limit_is_refused_unread(
    repository: DemoRepository, tmp_path: Path, postgres: Postgres
) -> None:
    harvest = Harvester(
        tmp_path, postgres, f'kind = "oai-pmh"\nurl = "{repository.url}"\n[limits]\nanswer_bytes = 100000\n'
    )
    repository.oai.page_items = 20
    for number in range(14):
        repository.book(str(number), NOON, "x" * 9_000)
    with pytest.raises(RepositoryError, match="answer_bytes"):
        harvest()


def test_a_wrong_prefix_and_a_wrong_address_say_what_is_wrong(
    repository: DemoRepository, tmp_path: Path, postgres: Postgres
) -> None:
    repository.book("1", NOON)
    table = f'kind = "oai-pmh"\nurl = "{repository.url}"\nmetadata_prefix = "mods"\n'
    with pytest.raises(RepositoryError, match="cannotDisseminateFormat: mods"):
        Harvester(tmp_path, postgres, table)()
    with pytest.raises(RepositoryError, match="HTTP 404"):
        Harvester(tmp_path, postgres, f'kind = "oai-pmh"\nurl = "{repository.address}/nowhere"\n')()


def test_the_login_comes_from_the_environment(
    repository: DemoRepository, harvest: Harvester, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.book("1", NOON)
    repository.login = ("reader", "secret-of-union")
    with pytest.raises(RepositoryError, match="HTTP 401") as said:
        harvest()
    assert "secret" not in str(said.value)
    monkeypatch.setenv("HOLDFAST_SOURCE_UNION_USER", "reader")
    monkeypatch.setenv("HOLDFAST_SOURCE_UNION_PASSWORD", "secret-of-union")
    harvest()
    assert numbers(harvest.records()) == ["1"]


# ---- deleted ----------------------------------------------------------------------------------------------------------


def test_a_deleted_record_arrives_as_deleted_under_the_numbers_that_it_had(
    repository: DemoRepository, harvest: Harvester
) -> None:
    identifier = repository.book("ocm7", NOON, "Bleak house", org="XX-Union")
    harvest()
    repository.store.delete(identifier, NOON + dt.timedelta(days=1))
    harvest(DAY + dt.timedelta(days=1))
    (deleted,) = harvest.records(DAY + dt.timedelta(days=1))
    assert deleted == {"status": "d", "001": "ocm7", "003": "XX-Union", "005": "20260311120000.0", "245": ""}
    assert harvest.identifiers(DAY + dt.timedelta(days=1))["deleted"].to_list() == [True]
    assert harvest.log(DAY + dt.timedelta(days=1))[0]["deleted"] == 1


def test_without_003_the_title_goes_with_it_for_a_bare_number_is_no_identity(
    repository: DemoRepository, harvest: Harvester
) -> None:
    identifier = repository.book("7", NOON, "Cats & <dogs>", org="")
    harvest()
    repository.store.delete(identifier, NOON + dt.timedelta(hours=1))
    harvest()
    assert harvest.records()[-1] == {"status": "d", "001": "7", "005": "20260310130000.0", "245": "Cats & <dogs>"}


def test_what_never_was_here_alive_is_named_by_its_identifier(
    repository: DemoRepository, tmp_path: Path, postgres: Postgres
) -> None:
    table = f"""kind = "oai-pmh"\nurl = "{repository.url}"\nnumber_org = "XX-Union"\n"""
    harvest = Harvester(tmp_path, postgres, table)
    repository.store.delete(repository.book("99", NOON), NOON)
    harvest()
    (deleted,) = harvest.records()
    assert (deleted["status"], deleted["001"], deleted["003"]) == ("d", "99", "XX-Union")


# ---- what is no record ------------------------------------------------------------------------------------------------


def test_an_item_without_a_marc_record_is_in_quarantine_and_the_others_go_on(
    repository: DemoRepository, harvest: Harvester
) -> None:
    repository.book("1", NOON)
    identifier = repository.book("2", NOON)
    repository.book("3", NOON)
    repository.store.put(replace(repository.store.items[identifier], forms={"marc21": "<mods xmlns='urn:x'/>"}))
    got = harvest()
    assert numbers(harvest.records()) == ["1", "3"]
    assert got.window is not None
    (rejection,) = got.window.rejections
    assert rejection.code == "harvest.no_record" and identifier in rejection.place and "mods" in rejection.rule
    with harvest.postgres.transaction() as connection:
        waiting = connection.execute("SELECT code FROM quarantine WHERE code = 'harvest.no_record'").fetchall()
    assert len(waiting) == 1


def test_one_record_that_breaks_its_page_is_in_quarantine_and_the_others_come(
    repository: DemoRepository, harvest: Harvester
) -> None:
    identifiers = [repository.book(str(number), at) for number, at in enumerate(minutes(6))]
    repository.store.delete(identifiers[5], NOON)
    bad = repository.store.items[identifiers[2]]
    repository.store.put(replace(bad, forms={"marc21": bad.forms["marc21"].replace("Bleak", "Bl\x0beak")}))
    got = harvest()
    assert numbers(harvest.records()) == ["0", "1", "3", "4", "5"]
    assert got.window is not None
    (rejection,) = got.window.rejections
    assert identifiers[2] in rejection.place and "invalid Char value 11" in rejection.rule
    assert (harvest.log()[0]["state"], harvest.log()[0]["restarts"]) == ("whole", 1)
    assert sum(each["verb"] == "GetRecord" for each in repository.asked) == 4 + 3


def test_blanks_in_a_record_are_kept(repository: DemoRepository, harvest: Harvester) -> None:
    identifier = repository.book("1", NOON)
    item = repository.store.items[identifier]
    blank = item.forms["marc21"].replace("Bleak house", "   ")
    repository.store.put(replace(item, forms={"marc21": blank}))
    harvest()
    assert harvest.records()[0]["245"] == "   "


# ---- SRU ----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def sru(repository: DemoRepository, tmp_path: Path, postgres: Postgres) -> Harvester:
    table = f'kind = "sru"\nurl = "{repository.sru_url}"\nquery = "rec.changeDate = {{day}}"\npage_records = 3\n'
    return Harvester(tmp_path, postgres, table)


@pytest.mark.parametrize("packing", ["xml", "string"])
@pytest.mark.parametrize("says_next", [True, False])
def test_sru_pages_are_followed_to_the_end(
    repository: DemoRepository, sru: Harvester, packing: str, says_next: bool
) -> None:
    repository.sru.packing, repository.sru.says_next = packing, says_next
    for number, at in enumerate(minutes(10)):
        repository.book(str(number), at)
    repository.book("other", NOON + dt.timedelta(days=1))
    sru()
    assert numbers(sru.records()) == [str(n) for n in range(10)]
    (log,) = sru.log()
    assert (log["records"], log["complete_list_size"], log["requests"]) == (10, 10, 4)


def test_an_sru_server_that_gives_less_than_asked_for_is_followed(repository: DemoRepository, sru: Harvester) -> None:
    repository.sru.most_records = 2
    for number, at in enumerate(minutes(5)):
        repository.book(str(number), at)
    sru()
    assert numbers(sru.records()) == [str(n) for n in range(5)]


def test_an_empty_sru_window_is_whole(sru: Harvester) -> None:
    assert sru().drops == 0
    assert sru.log()[0]["state"] == "whole"


def test_a_record_that_sru_can_t_give_is_in_quarantine(repository: DemoRepository, sru: Harvester) -> None:
    repository.book("1", NOON)
    repository.sru.surrogates = {repository.book("2", NOON)}
    got = sru()
    assert numbers(sru.records()) == ["1"] and got.window is not None
    (rejection,) = got.window.rejections
    assert "Record temporarily unavailable" in rejection.rule


def test_an_sru_diagnostic_fails_the_window_with_its_words(
    repository: DemoRepository, tmp_path: Path, postgres: Postgres
) -> None:
    table = f'kind = "sru"\nurl = "{repository.sru_url}"\nquery = "dc.nothing any {{day}}"\n'
    with pytest.raises(RepositoryError, match="Query syntax error"):
        Harvester(tmp_path, postgres, table)()


@pytest.mark.parametrize("fault", ["503", "cut_answer"])
def test_sru_tries_again_after_a_passing_fault(repository: DemoRepository, sru: Harvester, fault: str) -> None:
    for number, at in enumerate(minutes(4)):
        repository.book(str(number), at)
    repository.fault(fault)
    repository.spoil = ["cut_xml"]
    sru()
    assert numbers(sru.records()) == ["0", "1", "2", "3"]
    assert sru.slept


def test_sru_that_gives_fewer_than_it_counts_fails(
    repository: DemoRepository, sru: Harvester, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, at in enumerate(minutes(4)):
        repository.book(str(number), at)
    answer = repository.sru.answer

    def short(query: Mapping[str, str]) -> str:
        text = answer({**query, "startRecord": "1"}).replace("<numberOfRecords>4<", "<numberOfRecords>9<")
        return text if query["startRecord"] == "1" else re.sub("<records>.*</records>", "", text)

    monkeypatch.setattr(repository.sru, "answer", short)
    with pytest.raises(RepositoryError, match="3 records came of 9"):
        sru()
