"""Exports for partners as they are run: bibliographic records, holdings, items and circulation of a library."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from catalog_assets.definitions import build_defs
from catalog_assets.partitions import SETTINGS
from commands.main import main
from demo.ils.reference import DESK_1
from holdfast import marc
from holdfast.settings import Export
from tests.catalogue_load import ROOT, messages_of
from tests.demo_ils import DemoIls

pytestmark = [pytest.mark.services, pytest.mark.dagster]
TODAY = dt.datetime.now(dt.UTC).date().isoformat()


def run(job: str, partition: str | dg.MultiPartitionKey | None = None) -> dg.ExecuteInProcessResult:
    with dg.DagsterInstance.ephemeral() as instance:
        found = build_defs().resolve_job_def(job)
        result = found.execute_in_process(partition_key=partition, instance=instance, raise_on_error=False)
    return result


def export(monkeypatch: pytest.MonkeyPatch, name: str = "union", **settings: Any) -> tuple[Path, dict[str, Any]]:
    """(file, manifest) of the export of today, by these settings."""
    monkeypatch.setitem(SETTINGS.exports, name, Export(**settings))
    result = run("partner_export", dg.MultiPartitionKey({"export": name, "day": TODAY}))
    assert result.success, [each.step_failure_data.error for each in result.get_step_failure_events()]
    assert all(each.passed for each in result.get_asset_check_evaluations())
    (event,) = result.asset_materializations_for_node("partner_exports")
    manifest = event.metadata["manifest"].value
    assert isinstance(manifest, dict)
    return Path(str(event.metadata["file"].value)), manifest


def rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text())))


def test_a_partner_gets_holdings_items_and_loans_in_codes_and_without_patrons(
    library: DemoIls, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    library.seed()
    user = library.call("GET", "/users", params={"limit": 1, "query": 'type == "patron"'}).json()["users"][0]
    item = library.call("GET", "/item-storage/items", params={"limit": 1}).json()["items"][0]
    library.call("PUT", f"/item-storage/items/{item['id']}", json=item | {
        "circulationNotes": [{"noteType": "Check out", "note": "Ask Quetzalcoatlova", "staffOnly": True}],
    }).raise_for_status()  # fmt: skip
    for name in ("holdings", "items"):
        monkeypatch.setitem(SETTINGS.exports, "union", Export(contents=name, format="csv"))
        refused = run("partner_export", dg.MultiPartitionKey({"export": "union", "day": TODAY}))
        assert not refused.success  # never read is not empty
    with dg.DagsterInstance.ephemeral() as instance:
        build_defs().resolve_job_def("catalogue_load").execute_in_process(
            partition_key=dg.MultiPartitionKey({"source": "own", "day": TODAY}),
            asset_selection=[dg.AssetKey("catalog_snapshot")],
            instance=instance,
        )
    lend = {"itemBarcode": item["barcode"], "userBarcode": user["barcode"], "servicePointId": DESK_1}
    library.call("POST", "/circulation/check-out-by-barcode", json=lend).raise_for_status()
    read = run("holdings_reading", TODAY)
    assert read.success, messages_of(read)

    path, manifest = export(monkeypatch, "union", contents="items", format="csv")
    items = {row["barcode"]: row for row in rows(path)}
    first = items[item["barcode"]]
    assert manifest["records"] == len(items) > 100
    assert first["material_type"] in ("book", "electronic resource") and first["loan_type"] == "Can circulate"
    assert first["holdings"].startswith("ho") and first["deleted"] == "false"
    assert "Quetzal" not in path.read_text() and "pii:" not in path.read_text()

    path, manifest = export(monkeypatch, "bookshop", contents="holdings", format="marc")
    frames = marc.read_all(path)
    assert frames.records["fault"].null_count() == frames.records.height == manifest["records"]
    assert {row[5:7] for row in frames.records["leader"]} == {"nu"}
    places = marc.fields(frames, "852", "b")
    assert places.height == frames.records.height
    assert set(frames.subfields.filter((frames.subfields["tag"] == "852") & (frames.subfields["code"] == "b"))["value"]) <= {
        "E", "ML/STACKS", "ML/RR",
    }  # fmt: skip
    bibs = frames.subfields.filter(frames.subfields["tag"] == "004")["value"]
    assert bibs.str.starts_with("in").all()

    assert run("circulation_reading", TODAY).success
    path, manifest = export(monkeypatch, "union", contents="circulation", format="csv")
    loans = rows(path)
    assert manifest["records"] == len(loans) > 0
    assert {row["state"] for row in loans} <= {"on loan", "returned"} and all(
        row["library"] and row["at"] for row in loans
    )
    assert "pii:" not in path.read_text() and user["id"] not in path.read_text()

    # The command makes the same, from the same settings.
    config = tmp_path / "holdfast.toml"
    config.write_text((ROOT / "holdfast.toml").read_text())
    assert main(["export", "nobody", "--config", str(config)]) == 2
    assert "there are: bookshop, union" in capsys.readouterr().err
    monkeypatch.setenv("HOLDFAST_VAR", str(SETTINGS.var))
    assert main(["export", "union", "--full", "--config", str(config)]) == 0
    said = capsys.readouterr().out
    made = Path(said.splitlines()[0])
    assert made.name == f"union-{TODAY}.xml.gz"
    assert json.loads((made.parent / f"union-{TODAY}.json").read_text())["sha256"] in said
    assert user["personal"]["lastName"] not in path.read_text("latin-1")
