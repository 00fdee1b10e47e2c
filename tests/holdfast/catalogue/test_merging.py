"""Merge rules and protection: the patched live record is what a plain function says, and what is protected stays."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.catalogue.merging import NOT_REPEATED, MergeRule
from holdfast.catalogue.patch import apply_patch, diff
from holdfast.settings import SettingsError, parse_settings
from tests.holdfast.catalogue.test_patch import Fields, frame

TOKEN = "pii:" + "0" * 64
LEAST = '[library]\nname = "L"\n[sources.ebooks]\n'


def patched(
    live: Fields, incoming: Fields, protected: tuple[str, ...] = (), merge: tuple[MergeRule, ...] = ()
) -> Fields:
    patches = diff(frame(live), frame(incoming), protected, merge)
    deletes, adds = (
        [(tag, text) for op, tag, text in patches.select("op", "tag", "text").iter_rows() if op == want]
        for want in ("delete", "add")
    )
    return apply_patch(live, deletes, adds)


def rule(tags: str, name: str, **more: object) -> MergeRule:
    return MergeRule.model_validate({"fields": tags.split(), "rule": name, **more})


# ---- a plain function that says what a merge is -----------------------------------------------------------------------


def covers(pattern: str, tag: str) -> bool:
    return all(want in (got, "X") for want, got in zip(pattern[:3], tag, strict=True))


def subfields(text: str) -> list[str]:
    return text[2:].split("\x1f")[1:]


def rule_of(field: tuple[str, str], merge: tuple[MergeRule, ...]) -> tuple[int, str]:
    tag, text = field
    for place, each in enumerate(merge):
        if (
            any(covers(pattern, tag) for pattern in each.fields)
            and (not each.indicator2 or text[1] in each.indicator2)
            and (
                not each.subfield
                or any(p[:1] == each.subfield and (not each.value or p[1:] == each.value) for p in subfields(text))
            )
        ):
            return place, each.rule
    return -1, "replace"


def public(text: str) -> str:
    return text[:2] + "".join("\x1f" + each for each in subfields(text) if "pii:" not in each)


def merged(live: Fields, incoming: Fields, protected: tuple[str, ...], merge: tuple[MergeRule, ...]) -> Counter:
    """The fields of the live record after the merge, protection of whole fields among it."""

    def takes_part(field: tuple[str, str]) -> bool:
        return "pii:" not in field[1] and not any(covers(spec, field[0]) for spec in protected)

    result = Counter(each for each in live if not takes_part(each))
    ours, theirs = (Counter(each for each in fields if takes_part(each)) for fields in (live, incoming))
    veiled = {tag for tag, text in incoming if "pii:" in text}
    result += ours & theirs
    for field, count in (ours - theirs).items():
        if rule_of(field, merge)[1] != "replace" or field[0] in veiled:
            result[field] += count
    hidden = {(tag, public(text)) for tag, text in live if "pii:" in text}
    tags, ruled = {tag for tag, _ in live}, {(tag, rule_of((tag, text), merge)[0]) for tag, text in live}
    for field, count in (theirs - ours).items():
        place, how = rule_of(field, merge)
        comes = {
            "replace": True,
            "keep": False,
            "add": field[0] not in tags or field[0] not in NOT_REPEATED,
            "prefer-local": (field[0], place) not in ruled,
        }[how]
        if comes and field not in hidden:
            result[field] += count
    return result


values = st.text(st.sampled_from("abé|\\^$. 1"), min_size=1, max_size=3)
pieces = st.tuples(st.sampled_from("abc"), values | st.just(TOKEN)).map("".join)
fields = st.tuples(
    st.sampled_from(["100", "245", "590", "650", "651"]),
    st.tuples(st.sampled_from([" ", "0", "7"]), st.lists(pieces, min_size=1, max_size=3)).map(
        lambda each: " " + each[0] + "".join("\x1f" + piece for piece in each[1])
    ),
)
records = st.lists(fields, max_size=7)
rules = st.builds(
    MergeRule,
    fields=st.lists(st.sampled_from(["650", "65X", "6XX", "5XX", "2XX", "1XX"]), min_size=1, max_size=2).map(tuple),
    rule=st.sampled_from(["keep", "replace", "add", "prefer-local"]),
    indicator2=st.sampled_from([(), ("0",), ("0", "7")]),
    subfield=st.sampled_from(["", "b"]),
)
rule_sets = st.lists(rules, max_size=3).map(tuple)


@given(records, records, st.sampled_from([(), ("59X",), ("245", "6XX")]), rule_sets)
def test_the_patched_record_is_the_merge_by_the_rules(live, incoming, protected, merge) -> None:
    assert Counter(patched(live, incoming, protected, merge)) == merged(live, incoming, protected, merge)


@given(records, records, rule_sets)
def test_a_second_load_of_the_same_record_changes_nothing(live, incoming, merge) -> None:
    after = patched(live, incoming, ("245$c",), merge)
    assert Counter(patched(after, incoming, ("245$c",), merge)) == Counter(after)


@given(
    records, records, st.sampled_from([("650$c",), ("65X$b", "245$c"), ("6XX$a", "590"), ("245$a", "245$b", "245$c")])
)
def test_protected_and_masked_subfields_stay_as_they_are(live, incoming, protected) -> None:
    def guarded(rows: Fields) -> Counter:
        return Counter(
            (tag, piece)
            for tag, text in rows
            for piece in subfields(text)
            if "pii:" in piece or any(covers(spec, tag) and spec[3:] in ("", "$" + piece[:1]) for spec in protected)
        )

    assert guarded(patched(live, incoming, protected)) == guarded(live)


# ---- one by one -------------------------------------------------------------------------------------------------------


def test_a_protected_subfield_stays_where_it_stood_when_its_field_changes() -> None:
    live = [("245", "10\x1faOld :\x1fh[our GMD]\x1fbsame /\x1fcX")]
    incoming = [("245", "10\x1faNew :\x1fbsame /\x1fcY\x1fh[theirs]")]
    assert patched(live, incoming, ("245$h",)) == [("245", "10\x1faNew :\x1fh[our GMD]\x1fbsame /\x1fcY")]


def test_a_difference_in_protected_subfields_alone_is_no_change() -> None:
    live, incoming = [("020", "  \x1fa978\x1fcEUR 5")], [("020", "  \x1fa978\x1fcUSD 6")]
    assert diff(frame(live), frame(incoming), ("020$c",)).height == 0
    assert diff(frame(live), frame([("020", "  \x1fa978")]), ("020$c",)).height == 0


def test_a_field_with_a_protected_subfield_that_nothing_takes_the_place_of_stays_whole() -> None:
    live = [("020", "  \x1fa1\x1fcEUR 5"), ("020", "  \x1fa2\x1fcEUR 6"), ("020", "  \x1fa3")]
    after = patched(live, [("020", "  \x1fa4\x1fcUSD 9"), ("020", "  \x1fa5")], ("020$c",))
    assert after == [
        ("020", "  \x1fa1\x1fcEUR 5"),
        ("020", "  \x1fa2\x1fcEUR 6"),
        ("020", "  \x1fa4"),
        ("020", "  \x1fa5"),
    ]


def test_headings_of_our_thesaurus_stay_and_the_others_follow_the_vendor() -> None:
    live = [("650", " 0\x1faOurs"), ("650", " 7\x1faold\x1f2fast"), ("650", " 7\x1faLokal\x1f2gnd")]
    incoming = [("650", " 0\x1faTheirs"), ("650", " 7\x1fanew\x1f2fast")]
    kept = (rule("650", "keep", indicator2=["0"]), rule("6XX", "keep", subfield="2", value="gnd"))
    assert patched(live, incoming, (), kept) == [
        ("650", " 0\x1faOurs"),
        ("650", " 7\x1fanew\x1f2fast"),
        ("650", " 7\x1faLokal\x1f2gnd"),
    ]


def test_add_brings_what_is_new_and_takes_nothing_away() -> None:
    live, incoming = [("650", " 0\x1faA"), ("650", " 0\x1faB")], [("650", " 0\x1faB"), ("650", " 0\x1faC")]
    assert [text[-1] for _, text in patched(live, incoming, (), (rule("6XX", "add"),))] == ["A", "B", "C"]


def test_prefer_local_takes_a_field_only_where_there_is_none() -> None:
    merge = (rule("5XX", "prefer-local"),)
    incoming = [("520", "  \x1fatheirs"), ("505", "0 \x1facontents")]
    assert patched([("520", "  \x1faours")], incoming, (), merge) == [
        ("505", "0 \x1facontents"),
        ("520", "  \x1faours"),
    ]


def test_a_live_field_that_differs_by_a_masked_subfield_alone_is_not_added_again() -> None:
    live = [("541", f"1 \x1faGift\x1fh{TOKEN}")]
    assert diff(frame(live), frame([("541", "1 \x1faGift")])).height == 0


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ('fields = ["65"]\nrule = "keep"', ("sources.ebooks.merge.0.fields.0", "found '65'", "a MARC tag")),
        (
            'fields = ["650"]\nrule = "merge"',
            ("sources.ebooks.merge.0.rule", "'keep', 'replace', 'add' or 'prefer-local'"),
        ),
        ('fields = ["245"]\nrule = "add"', ("245: MARC 21 does not repeat it", "prefer-local")),
        ('fields = ["008"]\nrule = "keep"\nindicator2 = ["0"]', ("008: control fields have no indicators",)),
        ('fields = ["650"]\nrule = "keep"\nvalue = "fast"', ("subfield: missing",)),
        ('fields = ["650"]\nrule = "keep"\nsubfeld = "2"', ("no such key", "did you mean 'subfield'")),
        ('rule = "keep"', ("sources.ebooks.merge.0.fields: missing",)),
    ],
)
def test_a_wrong_rule_is_named_with_its_key(table: str, words: tuple[str, ...]) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_settings(LEAST + "[[sources.ebooks.merge]]\n" + table + "\n")
    assert all(word in str(caught.value) for word in words), str(caught.value)
    assert re.search(r"^holdfast.toml: sources\.ebooks\.merge", str(caught.value), re.MULTILINE)
