from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from resources.postgres.client import Postgres
from resources.search.client import Search, Switch, SwitchRules
from tests.resources.search.museum_frames import objects, rejected

pytestmark = pytest.mark.services
DAY = dt.date(2026, 11, 20)
NEXT = dt.date(2026, 11, 21)
FEW = {"1": "A bridge", "2": "A river"}


@pytest.fixture
def search(postgres: Postgres) -> Search:
    return Search(postgres)


def counts(switch: Switch) -> tuple[int, int, int, int, int]:
    assert switch.came_in == switch.new + switch.changed + switch.unchanged + switch.suppressed
    return switch.new, switch.changed, switch.unchanged, switch.suppressed, switch.withdrawn


def found(search: Search, text: str, **more: object) -> list[str]:
    return [hit.identifier for hit in search.search(text, **more)]


def test_only_what_changed_is_written(search: Search, postgres: Postgres) -> None:
    first = search.switch("prints", DAY, objects({**FEW, "3": "A tower"}))
    same = search.switch("prints", NEXT, objects({**FEW, "3": "A tower"}))
    with postgres.transaction() as connection:
        rows = connection.execute("SELECT identifier, xmin::text FROM museum_objects").fetchall()
        before = {row["identifier"]: row["xmin"] for row in rows}
    other = search.switch("prints", NEXT, objects({**FEW, "3": "A spire"}))
    with postgres.transaction() as connection:
        rows = connection.execute("SELECT identifier, xmin::text FROM museum_objects").fetchall()
    assert [row["identifier"] for row in rows if before[row["identifier"]] != row["xmin"]] == ["3"]
    assert (counts(first), counts(same), counts(other)) == ((3, 0, 0, 0, 0), (0, 0, 3, 0, 0), (0, 1, 2, 0, 0))
    assert first.version == same.version != other.version
    assert (found(search, "tower"), found(search, "spire")) == ([], ["3"])


def test_searchers_never_see_a_half_updated_catalogue(search: Search, postgres: Postgres) -> None:
    search.switch("prints", DAY, objects(FEW))
    seen = []

    def slowly() -> Iterator[pl.DataFrame]:
        for frame in objects({"1": "A castle", "2": "A castle", "3": "A castle"}):
            yield frame
            seen.append((found(search, "castle"), sorted(found(search, "bridge OR river"))))

    search.switch("prints", NEXT, slowly())
    assert seen == [([], ["1", "2"])] * 2
    assert sorted(found(search, "castle")) == ["1", "2", "3"]


def test_a_switch_that_fails_changes_nothing(search: Search) -> None:
    search.switch("prints", DAY, objects(FEW))

    def broken() -> Iterator[pl.DataFrame]:
        yield objects({"1": "A castle", "9": "New"})[0]
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="disk"):
        search.switch("prints", NEXT, broken())
    assert (found(search, "castle"), found(search, "bridge"), search.count()) == ([], ["1"], 2)


def test_an_object_that_vanished_is_withdrawn_and_may_come_back(search: Search, postgres: Postgres) -> None:
    search.switch("prints", DAY, objects(FEW))
    gone = search.switch("prints", NEXT, objects({"1": "A bridge"}))
    assert (counts(gone), found(search, "river"), search.count("prints")) == ((0, 0, 1, 0, 1), [], 1)
    with postgres.transaction() as connection:
        row = connection.execute("SELECT withdrawn_at FROM museum_objects WHERE identifier = '2'").fetchone()
    assert row and row["withdrawn_at"]
    back = search.switch("prints", NEXT, objects(FEW))
    assert (counts(back), found(search, "river")) == ((0, 1, 1, 0, 0), ["2"])


def test_an_object_that_was_rejected_today_stays_as_it_was(search: Search) -> None:
    search.switch("prints", DAY, objects({**FEW, "3": "A tower"}))
    switch = search.switch("prints", NEXT, objects({"1": "A bridge"}), rejected("2"))
    assert (switch.withdrawn, found(search, "river"), found(search, "tower")) == (1, ["2"], [])


@pytest.mark.parametrize("held", [rejected(None, unit="file"), rejected(None)])
def test_an_export_that_was_not_read_whole_withdraws_nothing(search: Search, held: list[pl.DataFrame]) -> None:
    search.switch("prints", DAY, objects(FEW))
    switch = search.switch("prints", NEXT, objects({"1": "A bridge"}), held)
    assert (switch.withdrawn, switch.kept, search.count()) == (0, 1, 2)
    assert "stay public" in switch.note


def test_an_export_that_lost_a_large_share_withdraws_nothing(search: Search) -> None:
    many = {str(number): f"Print {number}" for number in range(40)}
    search.switch("prints", DAY, objects(many))
    half = dict(list(many.items())[:20])
    held = search.switch("prints", NEXT, objects(half))
    assert (held.withdrawn, held.kept, search.count()) == (0, 20, 40)
    assert "withdraw_share" in held.note
    meant = search.switch("prints", NEXT, objects(half), rules=SwitchRules(withdraw_share=0.5))
    assert (meant.withdrawn, search.count()) == (20, 20)


def test_an_export_of_changes_only_withdraws_nothing(search: Search) -> None:
    search.switch("prints", DAY, objects(FEW))
    switch = search.switch("prints", NEXT, objects({"3": "New"}), rules=SwitchRules(full=False))
    assert (counts(switch), switch.kept, search.count()) == ((1, 0, 0, 0, 0), 0, 3)


def test_an_older_export_does_not_take_the_place_of_a_newer_one(search: Search) -> None:
    search.switch("prints", NEXT, objects(FEW))
    older = search.switch("prints", DAY, objects({"1": "An old bridge"}))
    assert counts(older) == (0, 0, 0, 1, 0)
    assert (found(search, "old"), search.count()) == ([], 2)
    meant = search.switch("prints", DAY, objects({"1": "An old bridge"}), rules=SwitchRules(allow_older=True))
    assert counts(meant) == (0, 1, 0, 0, 1)


def test_collections_do_not_touch_each_other(search: Search) -> None:
    search.switch("prints", DAY, objects(FEW))
    search.switch("maps", DAY, objects({"1": "A bridge on a map"}, "maps"))
    search.switch("maps", NEXT, objects({}, "maps"))
    assert (search.count("prints"), search.count("maps")) == (2, 0)
    assert found(search, "bridge", collection="maps") == []


def test_a_title_counts_more_than_a_creator_and_a_creator_more_than_the_rest(search: Search) -> None:
    search.switch("a", DAY, objects({"rest": "Untitled"}, "a", spatial=("Whistler",)))
    search.switch("b", DAY, objects({"creator": "Untitled"}, "b", creator=("Whistler",)))
    search.switch("c", DAY, objects({"title": "Whistler"}, "c"))
    hits = search.search("whistler")
    assert [hit.identifier for hit in hits] == ["title", "creator", "rest"]
    assert hits[0].score > hits[1].score > hits[2].score


@pytest.mark.parametrize(
    "text", ["durer", "DÜRER", "Dürer", "strasse", "Straße", "bucuresti", "oster", '"albrecht durer"', "oeuvre", "X-1"]
)
def test_accents_and_case_do_not_matter(search: Search, text: str) -> None:
    search.switch(
        "prints", DAY, objects({"X-1": "Straße, Østergade, Œuvre"}, creator=("Albrecht Dürer",), spatial=("București",))
    )
    text = "ostergade" if text == "oster" else text
    assert found(search, text) == ["X-1"]


def test_english_descriptions_are_found_by_other_forms_of_a_word(search: Search) -> None:
    search.switch("prints", DAY, objects({"1": "Drawings of bridges"}, language=("en",)))
    search.switch("other", DAY, objects({"2": "Drawings of bridges"}, "other", language=("ro",)))
    assert found(search, "drawing bridge") == ["1"]
    assert sorted(found(search, "drawings bridges")) == ["1", "2"]


def test_all_words_must_be_there_and_minus_takes_away(search: Search) -> None:
    search.switch("prints", DAY, objects({"1": "Red bridge", "2": "Blue bridge"}))
    assert found(search, "red bridge") == ["1"]
    assert found(search, "bridge -red") == ["2"]
    assert found(search, "red or blue", limit=1).__len__() == 1


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
@given(st.text(max_size=60))
def test_any_text_at_all_can_be_searched(search: Search, text: str) -> None:
    search.search(text)


def test_a_description_of_any_length_can_be_indexed(search: Search) -> None:
    words = " ".join(f"word{number}" for number in range(200_000))
    search.switch("prints", DAY, objects({"1": "Long"}, description=(words,), subject=("x" * 5000,)))
    hit = search.search("word9")[0]
    assert len(hit.snippet) < 200
    assert "word9" in hit.snippet
