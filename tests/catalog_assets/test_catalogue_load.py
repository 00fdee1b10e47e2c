"""The catalogue's line end to end: from a drop to the library system, again and again."""

from __future__ import annotations

import gzip
import io
import uuid
import zipfile
from pathlib import Path

import pytest

from demo.samples import drops
from holdfast import marc
from resources.ledger.client import Ledger
from resources.postgres.client import Postgres
from resources.postgres.drops import Drops
from resources.postgres.quarantine import Quarantine
from resources.vault.client import Vault, vault_key
from tests.catalogue_load import DAY, SETTINGS, drop, fine, load, partition
from tests.demo_ils import DemoIls
from tests.records import book

pytestmark = [pytest.mark.services, pytest.mark.dagster]
LATER, LATEST = "20260201000000.0", "20260301000000.0"


def books(count: int, first: int = 1) -> list[bytes]:
    return [book(str(n), f"Volume {n} of the collected works") for n in range(first, first + count)]


def live(ils: DemoIls) -> dict[str, str]:
    """Title → instance id."""
    return {each["title"]: each["id"] for each in ils.instances()}


# ---- formats and packings ------------------------------------------------------------------------------------------------


def as_marcxml(records: list[bytes]) -> bytes:
    out = io.BytesIO()
    marc.write(marc.read(io.BytesIO(b"".join(records))), out, format="marcxml")
    return out.getvalue()


PRIVATE = (("852", "x", "ask Mrs Sauer"), ("541", "h", "€ 120,00"))


def test_a_marcxml_drop_in_gzip_is_loaded_like_one_in_iso2709(library: DemoIls) -> None:
    records = [*books(3), book("4", "Great expectations", fields=PRIVATE)]
    broken = as_marcxml(records).replace(b'<controlfield tag="001">2<', b"<controlfield>2<")
    drop(gzip.compress(broken), "drop.xml.gz", source="own")
    loaded = fine("own")

    assert loaded.outcomes == {"committed": 3, "quarantined": 1}
    index = loaded.rows("harvested_marc")
    assert index["format"].unique().to_list() == ["marcxml"]
    assert index["fault"].to_list() == [None, "marc.tag", None, None]
    for offset, length in index.select("offset", "length").iter_rows():
        assert broken[offset:].startswith(b"<record>") and broken[offset : offset + length].endswith(b"</record>")
    stored = b"".join(index["raw"].drop_nulls())
    assert b"Sauer" not in stored and b"120" not in stored and b"pii:" in stored
    assert sorted(live(library)) == ["Great expectations", *(f"Volume {n} of the collected works" for n in (1, 3))]

    # The same records as ISO 2709 the same day are known: nothing is written.
    written = library.audit()
    drop(records[0] + records[2] + records[3], "drop.mrc", source="own")
    again = fine("own")
    assert library.audit() == written
    assert again.outcomes == {"committed": 3, "quarantined": 1, "unchanged": 3}


def test_a_zip_drop_is_loaded_file_by_file_and_what_is_encrypted_in_it_waits(library: DemoIls) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("one.mrc", b"".join(books(2)))
        packed.writestr("deep/../../two.xml", as_marcxml(books(2, first=3)))
        packed.writestr("secret.mrc", book("9"))
    data = bytearray(archive.getvalue())
    entry = data.rindex(b"PK\x01\x02")
    data[entry + 8] |= 1  # APPNOTE §4.4.4, bit 0: encrypted
    drop(bytes(data), "drop.zip", source="own")
    loaded = fine("own")

    assert loaded.outcomes == {"committed": 4, "quarantined": 1}
    index = loaded.rows("harvested_marc")
    assert index.group_by("file", maintain_order=True).len().rows() == [
        ("drop.zip/one.mrc", 2),
        ("drop.zip/deep/../../two.xml", 2),
        ("drop.zip/secret.mrc", 1),
    ]
    assert index["fault"].to_list()[-1] == "marc.encrypted"
    assert not [each for each in SETTINGS.var.rglob("*") if each.name in ("one.mrc", "two.xml")]


# ---- what a load writes -----------------------------------------------------------------------------------------------


def test_the_samples_come_to_one_outcome_each_and_a_second_run_to_the_same_without_a_write(library: DemoIls) -> None:
    library.seed()
    sample = drops.ebooks()
    drop(sample.data)
    first = fine()
    written = library.audit()
    second = fine()

    assert sum(first.outcomes.values()) == sample.records + sample.damaged
    assert set(first.outcomes) == {"committed", "unchanged", "duplicate", "quarantined", "suppressed"}
    assert first.outcomes["quarantined"] == sample.damaged
    assert first.outcomes["suppressed"] == 1
    assert first.outcomes["duplicate"] == len(drops.DUPLICATED) + 1
    assert second.of_records == first.of_records
    assert library.audit() == written
    assert second.metadata("ils_commits")["written_now"] == 0


def test_the_marc8_samples_are_all_read_and_the_next_day_would_write_nothing(library: DemoIls) -> None:
    library.seed()
    sample = drops.consortium()
    drop(sample.data, source="consortium")
    first = fine("consortium")
    assert sum(first.outcomes.values()) == sample.records
    assert set(first.outcomes) <= {"committed", "unchanged", "quarantined"}

    # The same records from another source: its window has seen none of them, the catalogue has them all.
    written = library.audit()
    drop(sample.data, "same.bin", source="own")
    second = fine("own")
    assert "committed" not in second.outcomes and "planned" not in second.outcomes
    assert library.audit() == written


def test_marc8_is_kept_as_it_came_and_written_composed(library: DemoIls) -> None:
    ascii_book = book("1", "Cafe noir XX")
    drop(ascii_book[:9] + b" " + ascii_book[10:].replace(b"Cafe noir XX", b"Caf\xe2e noir X"), source="consortium")
    loaded = fine("consortium")
    row = loaded.rows("harvested_marc").row(0, named=True)
    assert (row["claims"], row["found"], row["encoding"]) == ("marc-8", "marc-8", "marc-8")
    title = loaded.rows("normalized_records", "subfields").filter(tag="245").row(0, named=True)
    assert (title["value"], title["nfc"]) == ("Cafe\u0301 noir X", "Café noir X")
    assert list(live(library)) == ["Café noir X"]


def test_a_source_that_sends_windows_text_is_loaded_once_its_encodings_say_so(
    library: DemoIls, monkeypatch: pytest.MonkeyPatch, postgres: Postgres
) -> None:
    windows = book("1", "Caf? noir").replace(b"Caf? noir", b"Caf\xe9 noir")
    drop(windows)
    assert fine().outcomes == {"quarantined": 1}
    (waiting,) = Quarantine(postgres, "catalogue").waiting(partition())
    assert waiting["code"] == "marc.encoding" and "candidates: latin-1, cp1252" in waiting["place"]
    allowed = SETTINGS.sources["ebooks"].model_copy(update={"encodings": ("utf-8", "cp1252")})
    monkeypatch.setitem(SETTINGS.sources, "ebooks", allowed)
    assert fine().outcomes == {"committed": 1}
    assert list(live(library)) == ["Café noir"]


def test_a_second_drop_of_the_day_writes_only_what_is_new(library: DemoIls) -> None:
    drop(books(3), "a.mrc")
    fine()
    before = len(library.audit())
    drop([*books(3), *books(2, first=4)], "b.mrc")
    second = fine()

    written = [each for each in library.audit()[before:] if each["entityType"] == "INSTANCE"]
    assert [each["action"] for each in written] == ["CREATE", "CREATE"]
    assert second.outcomes == {"committed": 5, "unchanged": 3}
    assert [second.of_records[n] for n in (1, 2, 3)] == ["committed"] * 3


def test_a_backdated_change_is_written_as_an_update(library: DemoIls) -> None:
    drop(book("1", "Bleak hose"), "a.mrc")
    fine()
    drop(book("1", "Bleak house"), "b.mrc")
    second = fine()

    assert [each["title"] for each in library.instances()] == ["Bleak house"]
    assert second.of_records == {1: "committed", 2: "committed"}
    assert [each["action"] for each in library.audit("MARC_BIB")] == ["CREATE", "UPDATE"]


def test_an_update_keeps_protected_fields_and_what_the_instance_has_besides(library: DemoIls) -> None:
    drop(book("1", fields=(("650", "a", "Fogs"),)), "a.mrc")
    fine()
    (instance,) = library.instances()
    kept = {"instanceTypeId": str(uuid.uuid4()), "statusId": str(uuid.uuid4())}
    library.call("PUT", f"/instance-storage/instances/{instance['id']}", json={**instance, **kept}).raise_for_status()
    library.edit(instance["id"], "590", "a", "Shown in 1953")
    library.edit(instance["id"], "901", "b", "Kept by hand")
    drop(book("1", "Bleak house revised", date=LATER, fields=(("650", "a", "Lawsuits"),)), "b.mrc")
    fine()

    marc = library.marc(instance["id"])
    assert ("590", "$aShown in 1953") in marc and ("901", "$bKept by hand") in marc
    assert ("650", "$aLawsuits") in marc and ("650", "$aFogs") not in marc
    (after,) = library.instances()
    assert after["title"] == "Bleak house revised"
    assert {name: after[name] for name in kept} == kept


def test_a_change_that_the_inventory_does_not_show_leaves_the_instance_alone(library: DemoIls) -> None:
    drop(book("1", fields=(("650", "a", "Fogs"),)), "a.mrc")
    fine()
    (instance,) = library.instances()
    changed = {**instance, "instanceTypeId": str(uuid.uuid4())}
    library.call("PUT", f"/instance-storage/instances/{instance['id']}", json=changed).raise_for_status()
    before = len(library.audit("INSTANCE"))
    drop(book("1", date=LATER, fields=(("650", "a", "Lawsuits"),)), "b.mrc")
    fine()

    assert ("650", "$aLawsuits") in library.marc(instance["id"])
    assert len(library.audit("INSTANCE")) == before


def test_a_deleted_record_is_suppressed_and_never_deleted(library: DemoIls) -> None:
    drop(book("1"), "a.mrc")
    fine()
    drop(book("1", date=LATER, status="d"), "b.mrc")
    drop(book("77", "Never heard of", status="d"), "c.mrc")
    second = fine()

    (instance,) = library.instances()
    assert instance["discoverySuppress"] is True
    assert instance["title"] == "Bleak house"
    assert second.of_records == {1: "committed", 2: "suppressed", 3: "unchanged"}
    written = library.audit()
    assert fine().of_records == second.of_records
    assert library.audit() == written


def test_a_field_with_a_masked_value_deletes_no_field_of_the_catalogue(library: DemoIls) -> None:
    drop(book("1", fields=(("852", "b", "MAIN"), ("500", "a", "Old"))), "a.mrc")
    fine()
    with_note = (("852", "x", "Ask Mrs. Ward"), ("500", "a", "New"))
    drop(book("1", date=LATER, fields=with_note), "b.mrc")
    fine()

    (instance,) = library.instances()
    marc = library.marc(instance["id"])
    assert ("500", "$aNew") in marc
    assert ("852", "$bMAIN") in marc


def test_a_stray_delimiter_is_no_change_of_the_next_day(library: DemoIls) -> None:
    stray = book("1", fields=(("500", "a", "Fine\x1f"),))
    drop(stray)
    fine()
    written = library.audit()
    drop(stray, "again.mrc", source="own")
    assert fine("own").outcomes == {"unchanged": 1}
    assert library.audit() == written


def test_a_plan_over_its_budget_is_written_by_nobody_and_says_so(
    library: DemoIls, monkeypatch: pytest.MonkeyPatch
) -> None:
    budget = SETTINGS.budgets["default"].model_copy(update={"changes": 2})
    monkeypatch.setitem(SETTINGS.budgets, "default", budget)
    drop(books(3))
    stopped = fine()
    assert stopped.outcomes == {"planned": 3}
    assert not library.audit()
    check = stopped.checks["ils_commits.all_planned_is_written"]
    assert not check.passed and check.severity.value == "WARN"
    assert "3 changes are planned, the budget is 2" in (check.description or "")

    monkeypatch.setitem(SETTINGS.budgets, "default", budget.model_copy(update={"changes": 3}))
    assert fine().outcomes == {"committed": 3}


# ---- identity ---------------------------------------------------------------------------------------------------------


def test_the_same_correlation_id_is_in_the_lake_the_ledger_the_headers_the_audit_and_the_log(
    library: DemoIls, postgres: Postgres, caplog: pytest.LogCaptureFixture
) -> None:
    drop(books(3))
    loaded = fine()
    ids = loaded.rows()["correlation_id"].to_list()
    ledger = Ledger(postgres).rows("folio:demo", "ebooks", partition())

    assert len(set(ids)) == 3
    assert [row["correlation_id"] for row in ledger] == ids
    assert {row["state"] for row in ledger} == {"acknowledged"}
    assert all(row["attempts"] == 1 and row["version_after"] == 1 and row["run_id"] for row in ledger)
    assert [each["correlationIds"] for each in library.audit("MARC_BIB")] == [[each] for each in ids]
    writes = [each for each in library.requests() if each["correlationIds"]]
    assert {each["method"] for each in writes} == {"POST", "GET"}
    assert all(each["correlationIds"] == ids for each in writes)
    assert len({each["requestId"] for each in writes}) == 1
    lines = [each.getMessage() for each in caplog.records if each.name.startswith("holdfast.commit")]
    assert all(any(each in line for line in lines) for each in ids)


def test_record_numbers_of_a_window_never_move(library: DemoIls, postgres: Postgres) -> None:
    drop(books(2), "b.mrc")
    fine()
    drop(books(2, first=3), "a.mrc")
    second = fine()

    listed = [(each.name, each.first_record) for each in Drops(postgres).of("ebooks", DAY.date())]
    assert listed == [("b.mrc", 1), ("a.mrc", 3)]
    titles = second.rows("normalized_records").select("record", "file", "title").rows()
    assert [(record, file) for record, file, _ in titles] == [(1, "b.mrc"), (2, "b.mrc"), (3, "a.mrc"), (4, "a.mrc")]


def test_the_same_content_under_two_names_is_one_drop(library: DemoIls, postgres: Postgres) -> None:
    drop(books(2), "a.mrc")
    drop(books(2), "b.mrc")
    loaded = fine()
    assert loaded.outcomes == {"committed": 2}
    assert [each.name for each in Drops(postgres).of("ebooks", DAY.date())] == ["a.mrc"]


def test_a_drop_is_read_from_the_vault_once_its_file_is_gone(library: DemoIls) -> None:
    path = drop(books(2))
    fine()
    path.unlink()
    assert fine().outcomes == {"committed": 2}


def test_a_window_without_a_drop_is_an_empty_load(library: DemoIls) -> None:
    loaded = fine()
    assert loaded.outcomes == {}
    assert not library.audit()


@pytest.mark.parametrize("name", ["load.mrc.part", "LOAD.FILEPART", "load.tmp"])
def test_a_file_that_is_still_being_sent_is_no_drop(library: DemoIls, postgres: Postgres, name: str) -> None:
    drop(b"".join(books(2))[:-30], name, source="own")
    drop(books(1), "whole.mrc", source="own")
    assert fine("own").outcomes == {"committed": 1}
    assert [each.name for each in Drops(postgres).of("own", DAY.date())] == ["whole.mrc"]


def test_a_file_name_that_is_not_utf8_is_read_all_the_same(library: DemoIls) -> None:
    path = drop(books(1))
    path.rename(path.with_name("caf\udce9.mrc"))
    drop(b"no MARC", "caf\udce8.mrc")
    loaded = fine()
    assert loaded.outcomes == {"committed": 1, "quarantined": 1}


# ---- privacy ----------------------------------------------------------------------------------------------------------


def test_a_masked_value_is_in_no_file_row_or_log_but_in_the_sealed_original(
    library: DemoIls, postgres: Postgres, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    secrets = ["Returned by card 21234000987654", "Ask for Mrs. Ellen Ward", "GBP 1250.00 paid"]
    private = (("583", "x", secrets[0]), ("852", "x", secrets[1]), ("541", "h", secrets[2]))
    whole = book("1", fields=private)
    broken = book("2", "Broken", fields=private)
    drop([whole, b"00099" + broken[5:], book("3", "Cut", fields=private)[:-9]], "a.mrc")
    fine()
    # The live record has the values too: the snapshot and the image before must not keep them.
    instance = next(each for each in library.instances() if each["title"] == "Bleak house")
    for tag, code, value in private:
        library.edit(instance["id"], tag, code, value)
    drop(book("1", "Bleak house revised", date=LATER, fields=private), "b.mrc")
    assert fine().outcomes == {"committed": 2, "quarantined": 2}
    marc = library.marc(instance["id"])
    assert all((tag, f"${code}{value}") in marc for tag, code, value in private)

    printed = capfd.readouterr()
    everything = caplog.text + printed.out + printed.err + all_rows(postgres) + all_of_the_lake()
    for path in SETTINGS.var.rglob("*"):
        if path.is_file() and SETTINGS.drops not in path.parents:
            everything += path.read_bytes().decode("latin-1")
    assert "pii:" in everything and "Bleak house" in everything
    for secret in secrets:
        assert secret not in everything

    root = SETTINGS.var / "vault"
    vault = Vault(root, vault_key("", root))
    with vault.open(Drops(postgres).of("ebooks", DAY.date())[0].sha256) as original:
        assert all(secret.encode() in original.read() or original.seek(0) for secret in secrets[:1])


def all_rows(postgres: Postgres) -> str:
    with postgres.transaction() as connection:
        tables = [
            row["table_name"]
            for row in connection.execute(
                "SELECT table_name FROM information_schema.tables WHERE table_schema = 'holdfast'"
            )
        ]
        return "".join(
            row["text"] for table in tables for row in connection.execute(f'SELECT t::text AS text FROM "{table}" t')
        )


def all_of_the_lake() -> str:
    """Every value of every Parquet file, decompressed."""
    import polars as pl

    text = []
    for path in Path(SETTINGS.var / "lake").rglob("*.parquet"):
        frame = pl.read_parquet(path)
        for column in frame.get_columns():
            values = column.to_list()
            text += [each.decode("latin-1") if isinstance(each, bytes) else str(each) for each in values]
    return "\n".join(text)


# ---- bad input --------------------------------------------------------------------------------------------------------

GOOD = book("9", "A good one")


def _lying_directory() -> bytes:
    data = book("2", "Lies about its fields")
    return data[: 24 + 12 + 3] + b"XXXX?????" + data[24 + 12 + 12 :]


def _latin1_under_utf8() -> bytes:
    data = book("2", "Tr\u00e4ume", fields=(("500", "a", "x" * 30),))
    return data.replace("ä".encode(), b"\xe4\xe4")


BAD = {
    "not MARC": (b"<?xml version='1.0'?><collection/>\x1d", "marc.not_marc", "byte 0", "binary MARC"),
    "lying length": (b"00999" + book("2")[5:], "marc.length", "byte 0", "export again"),
    "lying directory": (_lying_directory(), "marc.directory", "byte 36", "export the record again"),
    "undeclared encoding": (_latin1_under_utf8(), "marc.encoding", "byte", "UTF-8"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_record_stops_only_itself_and_says_where_and_what_would_mend_it(
    library: DemoIls, postgres: Postgres, kind: str
) -> None:
    data, code, where, hint = BAD[kind]
    drop([data, GOOD], "vendor.mrc")
    loaded = fine()
    assert loaded.of_records == {1: "quarantined", 2: "committed"}
    (entry,) = Quarantine(postgres, "catalogue").waiting(partition())
    assert entry["code"] == code
    assert entry["place"].startswith("vendor.mrc record 1") and where in entry["place"]
    assert hint in entry["hint"]


def test_a_truncated_last_record_stops_only_itself(library: DemoIls, postgres: Postgres) -> None:
    drop([GOOD, book("2", "Cut off")[:-20]], "vendor.mrc")
    assert fine().of_records == {1: "committed", 2: "quarantined"}
    (entry,) = Quarantine(postgres, "catalogue").waiting(partition())
    assert entry["code"] == "marc.truncated" and entry["place"].startswith("vendor.mrc record 2")
    assert "fetch the file again" in entry["hint"]


def test_an_empty_file_is_accounted_for_and_the_other_drop_goes_on(library: DemoIls, postgres: Postgres) -> None:
    drop(b"", "empty.mrc")
    drop(GOOD, "good.mrc")
    assert fine().of_records == {1: "quarantined", 2: "committed"}
    (entry,) = Quarantine(postgres, "catalogue").waiting(partition())
    assert (entry["code"], entry["unit"]) == ("marc.empty_file", "file") and "empty.mrc" in entry["place"]


def test_a_value_with_a_nul_stops_nothing(library: DemoIls, postgres: Postgres) -> None:
    odd = (("500", "a", "before\0after"), ("035", "a", "(OCoLC)7"))
    drop([book("1", "Odd\0title", fields=odd), book("2", "Another title", fields=odd), GOOD], "a.mrc")
    assert fine().outcomes == {"committed": 1, "quarantined": 2}
    assert len(Quarantine(postgres, "catalogue").waiting(partition())) == 2

    drop([book("5", "Nul", fields=odd[:1])], "b.mrc")
    fine()
    drop([book("5", "Nul again", date=LATER, fields=odd[:1])], "c.mrc")
    assert fine().of_records[5] == "committed"


def test_a_record_that_masking_makes_too_long_for_its_form_stops_only_itself(
    library: DemoIls, postgres: Postgres
) -> None:
    import pymarc

    record = pymarc.Record(data=book("2", "Many copies"), to_unicode=True, force_utf8=True)
    notes = [pymarc.Subfield("x", "a") for _ in range(200)]
    record.add_field(pymarc.Field("852", indicators=pymarc.Indicators(" ", " "), subfields=notes))
    many = [pymarc.Field("852", pymarc.Indicators(" ", " "), [pymarc.Subfield("x", "a")]) for _ in range(1300)]
    long = pymarc.Record(data=book("3", "Many more copies"), to_unicode=True, force_utf8=True)
    long.add_field(*many)
    drop([bytes(record.as_marc()), GOOD, bytes(long.as_marc())], "a.mrc")
    assert fine().of_records == {1: "quarantined", 2: "committed", 3: "quarantined"}
    assert {each["code"] for each in Quarantine(postgres, "catalogue").waiting(partition())} == {"marc.masked_too_long"}


def test_every_malformed_file_goes_through_the_whole_load(library: DemoIls, data: Path) -> None:
    files = sorted(path for path in (data / "marc" / "malformed").rglob("*") if path.is_file())
    assert files
    for number, path in enumerate(files):
        drop(path.read_bytes(), f"{number:03d}-{path.name}", source="own")
    loaded = fine("own")
    assert sum(loaded.outcomes.values()) == loaded.rows("harvested_marc").height
    assert loaded.rows("harvested_marc")["file"].n_unique() <= len(files)
    written = library.audit()
    assert fine("own").of_records == loaded.of_records
    assert library.audit() == written


# ---- what is away -----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("hurried")
def test_an_ils_that_is_not_there_fails_the_run_with_a_message_and_the_next_run_heals(
    library: DemoIls, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop(books(2))
    monkeypatch.setenv("HOLDFAST_ILS_URL", "http://127.0.0.1:9")
    away = load()
    assert not away.success
    assert "http://127.0.0.1:9" in away.error and "Is " in away.error
    assert away.rows("normalized_records").height == 2
    monkeypatch.setenv("HOLDFAST_ILS_URL", library.url)
    assert fine().outcomes == {"committed": 2}


def test_a_wrong_password_is_named_and_never_shown(library: DemoIls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_ILS_PASSWORD", "not-the-password")
    drop(books(1))
    away = load()
    assert not away.success
    assert "HOLDFAST_ILS_PASSWORD" in away.error and "not-the-password" not in away.error


def test_without_redis_nothing_is_written_and_nothing_is_lost(
    library: DemoIls, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop(books(3))
    with monkeypatch.context() as without:
        without.setenv("HOLDFAST_REDIS_URL", "redis://127.0.0.1:9/0")
        without.setattr("resources.governor.client._PATIENCE", 0.5)
        away = load()
    # Neither the quota nor a lock can be shared with others then.
    assert not away.success and "Redis is away" in away.error and not library.audit()
    assert fine().outcomes == {"committed": 3}


def test_what_one_library_system_has_taken_another_one_has_not(
    library: DemoIls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop(books(2))
    assert fine().outcomes == {"committed": 2}
    monkeypatch.setenv("DEMO_ILS_TENANT", "sandbox")
    other = DemoIls(tmp_path / "other-ils")
    try:
        monkeypatch.setenv("HOLDFAST_ILS_URL", other.url)
        monkeypatch.setenv("HOLDFAST_ILS_TENANT", "sandbox")
        assert fine().outcomes == {"committed": 2}
        assert other.counts()["instances"] == 2
    finally:
        other.kill()
