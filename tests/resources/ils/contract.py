"""What every library system's adapter must do: run against each of them with a system that answers.

A new adapter subclasses `IlsContract` and gives a fixture `system`: see `System`, and docs/how-to/adding-an-ils.md.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import uuid
from typing import Any, Protocol

import pytest

from resources.ils.client import Ils, InDoubtError, LiveRecord, Unit, Written

LONG_AGO = "2020-01-01T00:00:00+00:00"
# Kinds of demo.ils.faults: done and not answered, not done and not answered, refused for now.
FAULTS = ("drop_before", "drop_after", "cut_answer", "500", "429", "503")


class System(Protocol):
    """A library system that can be looked into from behind."""

    def client(self) -> Ils: ...

    def add(self, title: str) -> str:
        """A record that a librarian made; its id."""

    def edit(self, target: str, tag: str, code: str, value: str) -> None:
        """A librarian changes a record."""

    def delete(self, target: str) -> None: ...

    def marc(self, target: str) -> list[tuple[str, str]]:
        """(tag, text) with subfields as $a…"""

    def titles(self) -> list[str]: ...

    def suppressed(self, target: str) -> bool: ...

    def writes(self) -> dict[str, int]:
        """Correlation id → how often a MARC record was written for it."""

    def fault(self, kind: str, method: str, path: str, **more: Any) -> None: ...

    write_paths: tuple[tuple[str, str], ...]  # (method, path) of the requests that write a bibliographic record


def unit(number: int, **more: Any) -> Unit:
    """The creation of a record 'Title NUMBER'."""
    key = hashlib.sha256(f"{number}{sorted(more)}".encode()).hexdigest()
    given: dict[str, Any] = {"idempotency_key": key, "correlation_id": str(uuid.uuid5(uuid.NAMESPACE_URL, key))}
    given |= {"record": number, "action": "create", "target": str(uuid.uuid5(uuid.NAMESPACE_OID, key)), "version": 0}
    given["adds"] = [
        ("LDR", "00000nam a2200000 i 4500"),
        ("001", f"vendor{number}"),
        ("005", "20260101000000.0"),
        ("008", "260310s1814    enk     o     000 1 eng d"),
        ("035", f"  \x1fa(Vendor){number}"),
        ("245", f"10\x1faTitle {number}"),
        ("500", "  \x1faIllustrated."),
    ]
    return Unit(**given | more)


def change(now: LiveRecord, number: int, title: str, **more: Any) -> Unit:
    """The record gets another title and a note."""
    before = next(text for tag, text in now.fields if tag == "245")
    patch = {"deletes": [("245", before)], "adds": [("245", f"10\x1fa{title}"), ("520", "  \x1faA summary.")]}
    seen = {"target": now.target, "version": now.version, "source_id": now.source_id, "action": "update"}
    return unit(number, **patch | seen | more)


def settle(client: Ils, units: list[Unit]) -> dict[str, Written]:
    """As the committer does it: read, write, and where that is in doubt read again."""
    creates = [each for each in units if each.action == "create"]
    others = [each for each in units if each.action != "create"]
    doubtful = False
    for _ in range(6):
        live = client.fetch([each.target for each in others], [each.correlation_id for each in others])
        made = client.find_created(creates) if doubtful and creates else {}
        live |= {each.target: made[each.idempotency_key] for each in creates if each.idempotency_key in made}
        try:
            return {each.idempotency_key: each for each in client.write(units, live)}
        except InDoubtError:
            doubtful = True
    raise AssertionError("in doubt again and again")


def live_of(client: Ils, target: str) -> LiveRecord:
    return client.fetch([target], [])[target]


class IlsContract:
    """Subclass as `Test…` with a fixture `system`."""

    def test_the_whole_catalogue_is_read_and_then_what_changed(self, system: System) -> None:
        client = system.client()
        targets = [system.add(f"Book {n}") for n in range(3)]
        whole = [each for page in client.live_records() for each in page]
        assert sorted(each.target for each in whole) == sorted(targets)
        assert all(each.fields[0][0] == "LDR" and each.updated for each in whole)
        watermark = max(each.updated for each in whole)
        dt.datetime.fromisoformat(watermark)
        system.edit(targets[1], "245", "a", "Changed")
        changed = {each.target: each for page in client.live_records(watermark) for each in page}
        assert ("245", "10\x1faChanged") in changed[targets[1]].fields

    def test_a_record_that_was_deleted_shows_where_it_is_said_to(self, system: System) -> None:
        client, target = system.client(), system.add("Book")
        if not client.capabilities.shows_deletions:
            pytest.skip("its feed does not show them")
        system.delete(target)
        assert {each.target: each.fields for page in client.live_records(LONG_AGO) for each in page} == {target: []}

    def test_what_does_not_exist_is_left_out(self, system: System) -> None:
        target = system.add("Book")
        assert set(system.client().fetch([target, "99999999", str(uuid.uuid4())], ["a", "b", "c"])) == {target}

    def test_a_new_record_is_made_once_and_found_by_the_id_that_is_answered(self, system: System) -> None:
        client, units = system.client(), [unit(n) for n in range(12)]
        written = settle(client, units)
        assert {each.state for each in written.values()} == {"acknowledged"}
        for each in units:
            now = live_of(client, written[each.idempotency_key].target or each.target)
            assert {("035", f"  \x1fa(Vendor){each.record}"), ("500", "  \x1faIllustrated.")} <= set(now.fields)
            assert not [text for tag, text in now.fields if tag == "001" and "vendor" in text]
        assert system.writes() == {each.correlation_id: 1 for each in units}

    def test_a_change_touches_only_what_is_planned(self, system: System) -> None:
        client, target = system.client(), system.add("Book")
        system.edit(target, "590", "a", "Kept by us")
        now = live_of(client, target)
        assert [each.state for each in settle(client, [change(now, 1, "Better")]).values()] == ["acknowledged"]
        after = live_of(client, target)
        assert set(after.fields) - set(now.fields) - _dates(after) == {
            ("245", "10\x1faBetter"),
            ("520", "  \x1faA summary."),
        }
        assert set(now.fields) - set(after.fields) - _dates(now) == {("245", "10\x1faBook")}

    @pytest.mark.parametrize("meanwhile", ["edit", "delete"])
    def test_what_somebody_changed_since_is_a_conflict_and_is_not_written(self, system: System, meanwhile: str) -> None:
        client, target = system.client(), system.add("Book")
        now = live_of(client, target)
        system.edit(target, "590", "a", "Mine") if meanwhile == "edit" else system.delete(target)
        (written,) = settle(client, [change(now, 1, "Better")]).values()
        assert written.state == "conflicted" and written.answer
        assert "Better" not in str(system.titles()) and not system.writes()

    def test_one_that_conflicts_stops_only_itself(self, system: System) -> None:
        client, targets = system.client(), [system.add(f"Book {n}") for n in range(3)]
        plans = [change(live_of(client, each), n, f"Better {n}") for n, each in enumerate(targets)]
        system.edit(targets[1], "245", "a", "Mine")
        states = settle(client, [*plans, unit(9)])
        assert [states[each.idempotency_key].state for each in plans] == ["acknowledged", "conflicted", "acknowledged"]
        assert sorted(system.titles()) == ["Better 0", "Better 2", "Mine", "Title 9"]

    def test_a_record_is_hidden_from_the_public(self, system: System) -> None:
        client, target = system.client(), system.add("Book")
        assert client.capabilities.suppresses and not system.suppressed(target)
        now = live_of(client, target)
        leader = ("LDR", "00000dam a2200000 i 4500")
        plan = change(now, 1, "", action="suppress", deletes=[now.fields[0]], adds=[leader])
        assert [each.state for each in settle(client, [plan]).values()] == ["acknowledged"]
        assert system.suppressed(target) and system.titles() == ["Book"]

    @pytest.mark.parametrize("kind", FAULTS)
    def test_each_change_is_written_once_whatever_becomes_of_the_answer(self, system: System, kind: str) -> None:
        client, target = system.client(), system.add("Book")
        plan, new = change(live_of(client, target), 1, "Better"), [unit(n) for n in range(2, 5)]
        for method, path in system.write_paths:
            system.fault(kind, method, path, retry_after=0)
        written = settle(client, [plan, *new])
        assert {each.state for each in written.values()} == {"acknowledged"}
        assert system.writes() == {each.correlation_id: 1 for each in (plan, *new)}
        assert sorted(system.titles()) == ["Better", "Title 2", "Title 3", "Title 4"]
        for each in new:
            assert live_of(client, written[each.idempotency_key].target or each.target).fields

    def test_an_attempt_of_a_process_that_died_is_found_by_another(self, system: System) -> None:
        target = system.add("Book")
        first = system.client()
        plan, new = change(live_of(first, target), 1, "Better"), unit(2)
        settle(first, [plan, new])
        second = system.client()
        live = second.fetch([target], [""])
        made = second.find_created([new])
        live[new.target] = made[new.idempotency_key]
        written = second.write([plan, new], live)
        assert {each.state for each in written} == {"acknowledged"}
        assert all("found written" in each.answer for each in written)
        assert set(system.writes().values()) == {1}

    def test_its_audit_says_what_was_done(self, system: System) -> None:
        client, target = system.client(), system.add("Book")
        if "bib" not in client.capabilities.audit:
            pytest.skip("it has none")
        settle(client, [change(live_of(client, target), 1, "Better")])
        entries = list(client.audit("bib", [target], LONG_AGO))
        assert [each.action for each in sorted(entries, key=lambda each: each.at)][-1] == "update"
        assert {each.target for each in entries} == {target}


def _dates(record: LiveRecord) -> set[tuple[str, str]]:
    return {each for each in record.fields if each[0] in ("001", "003", "005", "999")}
