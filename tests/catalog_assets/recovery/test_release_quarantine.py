"""Triage: by cluster of the same cause, each decision recorded, sums as they were."""

from __future__ import annotations

import dagster as dg
import pytest

from catalog_assets.definitions import build_defs
from holdfast.outcomes import Rejection
from resources.ledger.replaying import Recoveries
from resources.postgres.client import Postgres
from resources.postgres.quarantine import Quarantine
from resources.postgres.triage import Triage
from tests.catalogue_load import SETTINGS, drop, fine, partition
from tests.demo_ils import DemoIls
from tests.records import book
from tests.recovery_runs import Recovered, run

pytestmark = [pytest.mark.services, pytest.mark.dagster]
OCN = (("035", "a", "(OCoLC)5"),)


def latin1(number: str) -> bytes:
    return book(number, "Träume", fields=(("500", "a", "x" * 30),)).replace("ä".encode(), b"\xe4\xe4")


def cluster_of(postgres: Postgres, code: str, flow: str = "catalogue") -> str:
    (found,) = [each for each in Triage(postgres, flow).clusters() if each["code"] == code]
    return found["cluster"]


def decide(
    postgres: Postgres, code: str, decision: str, mend: str = "none", value: str = "", **form: object
) -> Recovered:
    cluster = cluster_of(postgres, code)
    given = {"decision": decision, "mend": mend, "value": value, "dry_run": False}
    return run("release_quarantine", cluster=cluster, **{**given, **form})


def test_records_in_an_encoding_that_the_source_does_not_name_are_mended_and_replayed(
    library: DemoIls, postgres: Postgres
) -> None:
    drop([latin1("1"), book("2"), latin1("3")])
    assert fine().outcomes == {"committed": 1, "quarantined": 2}
    shown = run("release_quarantine")
    assert shown.metadata["clusters"] == 1 and cluster_of(postgres, "marc.encoding") in shown.metadata["waiting"]
    preview = decide(postgres, "marc.encoding", "mend_and_replay", "read_as", "latin-1", dry_run=True)
    assert (preview.metadata["entries"], preview.metadata["decided"]) == (2, 0)

    done = decide(postgres, "marc.encoding", "mend_and_replay", "read_as", "latin-1")
    assert done.success and done.metadata["decided"] == 2, done.error
    asked = Recoveries(postgres).asked()
    assert [(row["job"], row["partition"]) for row in asked] == [("catalogue_load", partition())]
    # The mended records are a drop of their own; the originals stay where they are, in quarantine for good.
    assert fine().outcomes == {"committed": 3, "quarantined": 2}
    assert fine().outcomes == {"committed": 3, "quarantined": 2}
    assert [each["title"] for each in library.instances()].count("Trääume") == 2
    assert not Quarantine(postgres, "catalogue").waiting(partition())
    decisions = Triage(postgres, "catalogue").decisions()
    assert {(each["decision"], each["who"], each["why"]) for each in decisions} == {
        ("mend and replay", "Anna", "ticket 7")
    }
    assert all(each["mend"].startswith("read_as latin-1 mended-") for each in decisions)


def test_a_wrong_leader_byte_is_set_and_a_mend_that_does_not_help_changes_nothing(
    library: DemoIls, postgres: Postgres
) -> None:
    data = book("1", "Bleak house")
    drop(data[:12] + b"9" + data[13:])  # leader/12-16 is where the data begin
    assert fine().outcomes == {"quarantined": 1}
    (entry,) = Quarantine(postgres, "catalogue").waiting(partition())
    no = decide(postgres, entry["code"], "mend_and_replay", "set_leader_byte", "12=8")
    assert not no.success and "can't be read either" in no.error
    assert decide(postgres, entry["code"], "mend_and_replay", "set_leader_byte", "12=0").success
    assert fine().outcomes == {"committed": 1, "quarantined": 1}


@pytest.mark.parametrize("mend", ["accept_as_new", "choose_target"])
def test_a_collision_is_decided_and_the_next_run_takes_it_into_account(
    library: DemoIls, postgres: Postgres, mend: str
) -> None:
    drop([book("1", "Bleak house", fields=OCN), book("2", "Hard times")], "a.mrc", "consortium")
    fine("consortium")
    targets = {each["title"]: each["id"] for each in library.instances()}
    # The number of one live record and the OCN of another one.
    drop(book("2", "Hard times, again", date="20260201000000.0", fields=OCN))
    before = fine()
    assert before.outcomes == {"quarantined": 1}, before.rows("matched_records")
    refused = decide(postgres, "match.collision", "release")
    assert not refused.success and "accept_as_new or choose_target" in refused.error
    value = targets["Hard times"] if mend == "choose_target" else ""
    assert decide(postgres, "match.collision", "mend_and_replay", mend, value).success
    assert fine().outcomes == {"committed": 1}
    titles = sorted(each["title"] for each in library.instances())
    expected = ["Bleak house", "Hard times, again"] + (["Hard times"] if mend == "accept_as_new" else [])
    assert titles == sorted(expected)
    assert not Quarantine(postgres, "catalogue").waiting(partition())
    written = len(library.audit())
    assert fine().outcomes == {"committed": 1} and len(library.audit()) == written


def test_a_stopped_record_that_is_released_goes_on(
    library: DemoIls, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = SETTINGS.sources["ebooks"].model_copy(update={"stop_on": ("isbn.check_digit",)})
    monkeypatch.setitem(SETTINGS.sources, "ebooks", source)
    drop([book("1", fields=(("020", "a", "9780306406158"),)), book("2", "Hard times")])
    first = fine()
    codes = first.rows("record_issues")["code"].unique().to_list()
    if "quarantined" not in first.outcomes:
        pytest.fail(f"nothing was stopped: {codes}")
    code = Quarantine(postgres, "catalogue").waiting(partition())[0]["code"]
    assert decide(postgres, code, "release").success
    assert fine().outcomes == {"committed": 2}
    assert not Quarantine(postgres, "catalogue").waiting(partition())


def test_what_is_discarded_stays_out_and_what_is_rejected_again_waits_again(postgres: Postgres) -> None:
    quarantine, triage = Quarantine(postgres, "preservation"), Triage(postgres, "preservation")
    pages = [
        Rejection("page.hash", f"batch 1 page {n}", "the hash is the manifest's", "scan again", unit="page")
        for n in range(3)
    ]
    quarantine.replace("verified_masters", "batch-1", pages)
    quarantine.replace("verified_masters", "batch-2", pages[:1])
    (cluster,) = triage.clusters()
    assert (cluster["entries"], cluster["partitions"]) == (4, 2)
    one = triage.waiting(cluster["cluster"], "batch-1")
    assert triage.decide(one[:1], "discard", "Anna", "blank", "run") == 1
    assert (
        triage.decide(one[1:], "mend and replay", "Anna", "scanned again", "run", mend="source_corrected", again=True)
        == 2
    )
    quarantine.replace("verified_masters", "batch-1", pages[:2])  # page 1 is wrong still
    assert [each["place"] for each in quarantine.waiting("batch-1")] == ["batch 1 page 1"]
    assert triage.decide(one, "discard", "Anna", "late", "run") == 1  # only what waits is decided
    assert triage.clusters()[0]["cluster"] == cluster["cluster"]


def test_preservation_is_corrected_at_its_source_or_discarded(library: DemoIls, postgres: Postgres) -> None:
    page = Rejection("page.hash", "batch 1 page 1", "the hash is the manifest's", "scan again", unit="page")
    Quarantine(postgres, "preservation").replace("verified_masters", "batch-1", [page])
    form = {"flow": "preservation", "cluster": cluster_of(postgres, "page.hash", "preservation"), "dry_run": False}
    refused = run("release_quarantine", **form, decision="release")
    assert not refused.success and "correct the source" in refused.error
    assert run("release_quarantine", **form, decision="mend_and_replay", mend="source_corrected").success
    (asked,) = Recoveries(postgres).asked()
    assert (asked["job"], asked["partition"], asked["source"]) == ("digitization", "batch-1", "batch-1")


def test_a_row_of_a_feed_is_corrected_at_its_source_and_its_feed_is_run(library: DemoIls, postgres: Postgres) -> None:
    window = partition("students")
    row = Rejection("feed.reference", "students.csv row 2 element group", "there is no 'emeritus'", "add it")
    Quarantine(postgres, "catalogue").replace("feed_plan", window, [row])
    refused = decide(postgres, "feed.reference", "release")
    assert not refused.success and "a row of a feed can't be released as it is" in refused.error
    assert decide(postgres, "feed.reference", "mend_and_replay", "source_corrected").success
    with dg.DagsterInstance.ephemeral() as instance:
        defs = build_defs()
        with dg.build_sensor_context(instance=instance, definitions=defs, resources={"postgres": postgres}) as context:
            (asked,) = defs.resolve_sensor_def("asked_runs_sensor").evaluate_tick(context).run_requests or ()
    assert (asked.job_name, asked.partition_key) == ("feed_load", window)
