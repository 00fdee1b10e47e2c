"""The plan as a document: its hash sees every cell, its signature every measure, and what is surprising comes first."""

from __future__ import annotations

import re

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from holdfast.catalogue.budget import Budget, Measures, reasons_to_wait, usual
from holdfast.catalogue.estimate import Cost, Quota, duration, estimate, quota_of
from holdfast.catalogue.merging import Protection
from holdfast.catalogue.patch import CHANGES, PATCHES, changes_of
from holdfast.catalogue.plan import PLAN, PlanPart
from holdfast.catalogue.plan_document import (
    DOCUMENT,
    PlanHash,
    PlanRefusedError,
    add_counts,
    count_changes,
    measure_part,
    measures_text,
    sign,
    verify,
)
from holdfast.catalogue.plan_page import PlanShown, counts_markdown, plan_page, surprises_markdown
from holdfast.catalogue.surprises import A_KIND, A_RECORD, SHOWN, frequencies, marc_reasons, surprising

SECRET = b"a secret of the tests"
NOTHING = Protection(())
TWO_NEW = Measures(created=2)


def plan_of(*actions: str) -> pl.DataFrame:
    blank = {pl.String: "", pl.Int64: 0, pl.UInt32: 0}
    rows = [
        {
            **{name: blank[dtype] for name, dtype in PLAN.items()},
            "record": number,
            "action": action,
            "target": f"t{number}",
        }
        for number, action in enumerate(actions, 1)
    ]
    return pl.DataFrame(rows, schema=PLAN)


def part(actions: list[str], patches: list[tuple[int, str, str, str]]) -> PlanPart:
    """patches: (record, op, tag, text)."""
    rows = [(record, op, number, tag, text) for number, (record, op, tag, text) in enumerate(patches)]
    frame = pl.DataFrame(rows, schema=PATCHES, orient="row")
    return PlanPart(plan_of(*actions), frame, changes_of(frame))


def hash_of(*parts: PlanPart) -> str:
    whole = PlanHash("folio:demo", "2026-01-05|ebooks")
    for each in parts:
        whole.add(*each)
    return whole.hexdigest()


PATCH = [(1, "delete", "245", "10\x1faOld"), (1, "add", "245", "10\x1faNew"), (2, "add", "500", "  \x1faNote")]
WHOLE = part(["update", "update"], PATCH)


# ---- hash and signature -----------------------------------------------------------------------------------------------

texts = st.lists(st.none() | st.text(max_size=3), max_size=4)


@given(texts, texts, st.integers(0, 4))
def test_the_hash_is_of_the_cells_and_not_of_where_parts_end(first, second, at) -> None:
    def frames(values) -> PlanPart:
        rows = [(1, "changed", "245", "", "", value, value) for value in values]
        changes = pl.DataFrame(rows, schema=CHANGES, orient="row")
        return PlanPart(plan_of(), pl.DataFrame(schema=PATCHES), changes)

    assert (hash_of(frames(first)) == hash_of(frames(second))) == (first == second)
    cut = frames(first).changes
    pieces = [frames(first)._replace(changes=each) for each in (cut.slice(0, at), cut.slice(at))]
    assert hash_of(*pieces) == hash_of(frames(first))
    assert hash_of(frames([]), *pieces) == hash_of(frames(first)), "a part without rows is no part"


def test_a_plan_is_of_one_window_of_one_library_system() -> None:
    hashes = set()
    for ils, partition in (("a", "2026-01-05|b"), ("a", "2026-01-06|b"), ("c", "2026-01-05|b")):
        whole = PlanHash(ils, partition)
        whole.add(*WHOLE)
        hashes.add(whole.hexdigest())
    assert len(hashes) == 3


def document(measures: Measures = TWO_NEW) -> dict[str, str]:
    sha = hash_of(WHOLE)
    row = {
        "ils": "folio:demo",
        "partition": "2026-01-05|ebooks",
        "plan_sha256": sha,
        "measures": measures_text(measures),
    }
    return {**row, "signature": sign(sha, measures, SECRET)}


def test_a_document_is_verified_and_what_was_changed_is_named() -> None:
    assert verify(document(), hash_of(WHOLE), SECRET) == Measures(created=2)
    less = WHOLE._replace(patches=WHOLE.patches.head(2))
    with pytest.raises(PlanRefusedError, match="have the hash"):
        verify(document(), hash_of(less), SECRET)
    # Whoever changes the hash in the document, too, has no signature for it.
    with pytest.raises(PlanRefusedError, match="HOLDFAST_MASKING_SALT"):
        verify({**document(), "plan_sha256": hash_of(less)}, hash_of(less), SECRET)
    with pytest.raises(PlanRefusedError, match="signature"):
        verify({**document(), "measures": measures_text(Measures(created=1))}, hash_of(WHOLE), SECRET)
    with pytest.raises(PlanRefusedError, match="measures can't be read"):
        verify({**document(), "measures": "{"}, hash_of(WHOLE), SECRET)
    with pytest.raises(PlanRefusedError, match="signature"):
        verify(document(), hash_of(WHOLE), b"another library's secret")
    assert set(document()) < set(DOCUMENT)


# ---- measures and counts ----------------------------------------------------------------------------------------------


def test_measures_count_what_the_budget_looks_at() -> None:
    patches = [
        (1, "add", "590", "  \x1faof a new record, where nothing is protected"),
        (2, "delete", "650", " 0\x1faA"),
        (2, "delete", "650", " 0\x1faB"),
        (2, "add", "650", " 0\x1faC"),
        (2, "delete", "005", "x"),
        (2, "delete", "590", "  \x1faours"),
        (3, "delete", "LDR", "c"),
        (3, "add", "LDR", "d"),
    ]
    found = measure_part(part(["create", "update", "suppress"], patches), Protection(("59X",)), Protection(("650$a",)))
    assert found == Measures(created=1, updated=1, suppressed=1, removed_fields=2, protected=1, to_approve=2)


def test_counts_are_by_action_field_and_kind() -> None:
    counts = add_counts([count_changes(WHOLE.plan, WHOLE.changes), count_changes(WHOLE.plan, WHOLE.changes)])
    assert counts.rows() == [
        ("bib", "update", "245", "a", "changed", 2, 2),
        ("bib", "update", "500", "a", "added", 2, 2),
    ]
    assert add_counts([]).height == 0


# ---- the budget -------------------------------------------------------------------------------------------------------


def waits(measures: Measures, earlier: list[int] | None = None, first_load: bool = False, **limits: object) -> str:
    if earlier is None:
        earlier = []
    before = [Measures(created=each) for each in earlier]
    return "; ".join(reasons_to_wait(measures, Budget.model_validate(limits), before, first_load=first_load))


def test_each_limit_is_of_its_own() -> None:
    plan = Measures(came_in=100, catalogue=1000, created=20, updated=30, suppressed=4, removed_fields=9, to_approve=2)
    assert waits(plan) == ""
    assert waits(plan, changes=53) == "54 changes are planned, the budget is 53" and not waits(plan, changes=54)
    assert "5% of the catalogue's 1,000 records" in waits(plan, share_of_catalogue=0.05)
    assert "34 records would change, the budget is 30% of the load's 100" in waits(plan, share_of_load=0.3)
    assert not waits(plan, share_of_load=0.34)
    assert waits(plan, new_records=19).startswith("20 new records") and not waits(plan, new_records=20)
    assert waits(plan, suppressions=3).startswith("4 suppressions")
    assert waits(plan, removed_fields=8).startswith("9 removed fields")
    assert "fields that need approval (245, 1XX)" in waits(plan, fields_to_approve=["245", "1XX"])
    assert "materialize change_plan again" in waits(plan._replace(protected=1))


def test_a_plan_of_a_feed_has_the_same_limits_in_its_own_words() -> None:
    plan = Measures(came_in=100, catalogue=1000, updated=30, suppressed=4, to_approve=2)
    said = "; ".join(
        reasons_to_wait(
            plan,
            Budget(share_of_catalogue=0.01, share_of_load=0.3, suppressions=3, elements_to_approve=("group",)),
            [Measures(suppressed=1)] * 5,
            first_load=False,
            entity="patron",
        )
    )
    assert said.split("; ") == [
        "34 changes are planned, the budget is 1% of the catalogue's 1,000 patrons",
        "34 patrons would change, the budget is 30% of the load's 100 patrons",
        "4 expiries are planned, the budget is 3",
        "2 changes are of elements that need approval (group)",
    ]
    with pytest.raises(ValidationError, match="no element of a feed"):
        Budget(elements_to_approve=("grup",))


def test_a_first_plan_waits_unless_it_is_empty() -> None:
    assert "never wrote anything" in waits(Measures(created=1), first_load=True)
    assert waits(Measures(came_in=5), first_load=True) == ""


def test_what_is_larger_than_ever_and_far_from_usual_waits() -> None:
    before = [100, 110, 90, 105, 400]
    assert usual(before) == (105.0, pytest.approx(10.5)), "one that was far out does not move it"
    assert "401 changes are more than the source ever had: 105 is usual, 400 were the most" in waits(
        Measures(created=401), before
    )
    assert waits(Measures(created=399), before) == "", "as large as one that was written before"
    assert waits(Measures(created=120), [100] * 5) == "", "larger than ever, and near to usual"
    assert waits(Measures(created=5000), before[:4]) == "", "too few plans to know what is usual"
    assert waits(Measures(created=99), [1] * 9) == "", "small plans are never unusual"


# ---- what it costs ----------------------------------------------------------------------------------------------------


def test_requests_and_time_follow_from_the_api_and_the_quota() -> None:
    folio = Cost(write_requests=2, read_requests=1, batch=100)
    assert estimate(101, 200, folio, Quota()) == (10, None, None)
    assert estimate(0, 10, Cost(), Quota(per_second=2)) == (20, 10.0, None)
    assert estimate(0, 10, Cost(), Quota(per_second=2), seconds_a_record=3) == (20, 30.0, None)
    slow = estimate(0, 100, Cost(), Quota(per_second=25, per_day=80))
    assert slow.days == 3 and slow.seconds == 2 * 86_400
    assert slow.sentence == "about 200 requests, about 48 h 0 min, the quota of 3 days"
    patrons = Cost(
        write_requests=1, read_requests=2, batch=1, read_batch=100
    )  # one by one, read and read back by the hundred
    assert estimate(5, 250, patrons, Quota()).requests == 255 + 2 * 3
    nothing = estimate(0, 0, folio, Quota())
    assert nothing == (0, 0.0, None) and nothing.sentence == "no requests"
    assert [duration(each) for each in (0.2, 99, 700, 12_000)] == ["1 s", "99 s", "12 min", "3 h 20 min"]
    assert quota_of({}) == Quota() and quota_of({"quota": {"per_second": 25, "per_day": 0}}) == Quota(25, None)


# ---- what is surprising -----------------------------------------------------------------------------------------------


def first(*patches: tuple[int, str, str, str], actions: list[str] | None = None, history=None, protected=()) -> list:
    many = max(record for record, *_ in patches)
    own = part(actions or ["update"] * many, list(patches))
    history = history or {}
    rare = frequencies(count_changes(own.plan, own.changes), history, sum(history.values()))
    found = surprising(own.changes, own.plan, rare, marc_reasons(Protection(protected)))
    return found.select("record", "tag", "code", "reasons").rows()


def test_another_title_comes_before_a_corrected_one_and_both_before_a_note() -> None:
    found = first(
        (1, "delete", "245", "10\x1faThe hound of the Baskervilles"),
        (1, "add", "245", "10\x1faThe hound of the Baskervilles /"),
        (2, "delete", "245", "10\x1faThe hound of the Baskervilles"),
        (2, "add", "245", "10\x1faCooking for two"),
        (3, "add", "500", "  \x1faNote"),
    )
    assert next(record for record, *_ in found) == 2 and "another title" in found[0][3]
    assert "another title" not in "".join(reasons for record, _, _, reasons in found if record == 1)


def test_hidden_records_other_kinds_and_access_points_that_go_are_shown() -> None:
    found = {
        record: reasons
        for record, _, _, reasons in first(
            (1, "delete", "LDR", "00000cam a2200000 i 4500"),
            (1, "add", "LDR", "00000dam a2200000 i 4500"),
            (2, "delete", "LDR", "00000cam a2200000 i 4500"),
            (2, "add", "LDR", "00000cjm a2200000 i 4500"),
            (3, "delete", "700", "1 \x1faDoe, Jane"),
            (4, "delete", "020", "  \x1fa9780141439600"),
            (4, "add", "020", "  \x1fa9780141439617"),
            (5, "add", "020", "  \x1faX"),
            actions=["suppress", "update", "update", "update", "create"],
            protected=("020$c",),
        )
    }
    assert found[1] == "the record is hidden" and found[2] == "another kind of record"
    assert found[3] == "an access point goes"
    assert found[4] == "a standard number goes or changes; beside a protected subfield"
    assert 5 not in found, "of a new record everything is new"


def test_a_kind_that_the_source_never_had_is_rare() -> None:
    patches = [(record, "add", "500", "  \x1faNote") for record in range(1, 40)] + [
        (40, "add", "856", "40\x1fuhttp://x")
    ]
    assert first(*patches)[0] == (40, "856", "u", "a rare kind of change")
    usual_now = first(*patches, history={("856", "u", "added"): 900})
    assert [reasons for _, tag, _, reasons in usual_now if tag == "856"] == [""]


def test_one_record_does_not_fill_the_list() -> None:
    patches = [(1, "delete", "700", f"1 \x1fa{n}") for n in range(20)] + [(2, "add", "500", "  \x1faNote")]
    assert [record for record, *_ in first(*patches)] == [1] * A_RECORD + [2]


def test_one_kind_of_change_does_not_fill_the_list() -> None:
    leaders = [("delete", "LDR", "00000cam a2200000 i 4500"), ("add", "LDR", "00000dam a2200000 i 4500")]
    hidden = [(record, *each) for record in range(1, 121) for each in leaders]
    actions = ["suppress"] * 120 + ["update"] * 2
    found = first(*hidden, *((record, "add", "500", "  \x1faNote") for record in (121, 122)), actions=actions)
    kinds = [tag for _, tag, _, _ in found]
    assert kinds == ["LDR"] * A_KIND + ["500"] * 2 + ["LDR"] * (SHOWN - A_KIND - 2), "and what is left takes the room"
    assert [record for record, tag, *_ in found if tag == "500"] == [121, 122]
    hidden = [each for each in hidden if each[0] <= 40]
    common = [(record, "add", "500", "  \x1faNote") for record in range(41, 400)]
    found = first(*hidden, *common, actions=["suppress"] * 40 + ["update"] * 359)
    assert [tag for _, tag, _, _ in found] == ["LDR"] * 40 + ["500"] * 60, "what has no reason comes after what has one"


# ---- the page ---------------------------------------------------------------------------------------------------------


def shown_of(own: PlanPart, **more: object) -> PlanShown:
    counts = count_changes(own.plan, own.changes)
    surprises = surprising(own.changes, own.plan, frequencies(counts, {}, 0), marc_reasons(NOTHING))
    return PlanShown(
        library="L", source="ebooks", day="2026-01-05", plan_sha256="ab" * 32, signature="cd" * 32,
        measures=Measures(came_in=1, updated=1), counts=counts, surprises=surprises, waiting=["too many"],
        cost="about 3 requests", earlier=[Measures(updated=4)] * 2,
        written=[{"plan_sha256": "ef" * 32, "at": "2026-01-04 02:00", "written": 7}],
    )._replace(**more)  # fmt: skip


def test_the_page_says_what_waits_and_escapes_what_records_say() -> None:
    shown = shown_of(
        part(
            ["update"],
            [(1, "delete", "245", "10\x1faOld"), (1, "add", "245", "10\x1fa<script>alert(1)</script> | ![x](//y)")],
        )
    )
    html, counts, surprises = plan_page(shown), shown.counts, shown.surprises
    assert "<script>" not in html and "&lt;script&gt;" in html
    for words in (
        "It waits for approval: too many.",
        "approve_plan",
        "abababababab",
        "about 3 requests",
        "efefefefefef",
    ):
        assert words in html, words
    assert "It needs no approval" in plan_page(shown._replace(waiting=[]))
    empty = plan_page(
        shown._replace(measures=Measures(), counts=counts.clear(), surprises=surprises.clear(), waiting=[])
    )
    assert "Nothing would change" in empty and "No live record would change" in empty and "nothing to do" in empty
    in_the_ui = surprises_markdown(surprises)
    assert "\\| !\\[x\\](//y)" in in_the_ui and "\\<script\\>" in in_the_ui and "245 10 $a" in in_the_ui
    assert "| update | 245 $a | changed | 1 | 1 |" in counts_markdown(counts)


def test_what_differs_is_marked_and_each_value_runs_in_its_own_direction() -> None:
    words = "word " * 400
    html = plan_page(
        shown_of(
            part(
                ["update"] * 2,
                [
                    (1, "delete", "245", "10\x1faكتاب الحيوان للجاحظ"),
                    (1, "add", "245", "10\x1faكتاب البخلاء للجاحظ"),
                    (2, "delete", "520", f"  \x1fa{words}old {words}"),
                    (2, "add", "520", f"  \x1fa{words}new {words}"),
                ],
            )
        )
    )
    assert '<div dir="auto">كتاب <ins>البخلاء</ins> للجاحظ</div>' in html
    assert re.search(r"…(word )+<del>old</del>( word)+ w?o?r?…", html) and len(html) < 20_000


def test_a_page_is_no_longer_for_a_plan_of_ten_thousand_changes() -> None:
    patches = [(record, "add", f"{500 + record % 300}", f"  \x1fa<{'&' * 3000}") for record in range(1, 10_001)]
    html = plan_page(
        shown_of(
            part(["update"] * 10_000, patches),
            earlier=[],
            written=[{"plan_sha256": "e" * 64, "at": "", "written": 1}] * 500,
        )
    )
    assert html.count("<tr>") < 100 + 60 + 20 + 20 and len(html) < 400_000
