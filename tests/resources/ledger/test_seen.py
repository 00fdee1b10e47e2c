"""The filter only saves questions: what it wrongly calls "perhaps seen" is asked, and no record is dropped for it."""

from __future__ import annotations

import uuid

import polars as pl
import pytest

from resources.ils.client import Unit, Written
from resources.ledger.client import Ledger, Load, Under
from resources.ledger.seen import mark_seen, remember
from resources.postgres.client import Postgres
from resources.redis.client import Redis
from resources.redis.filter import IdempotencyFilter
from resources.redis.locks import Fence

pytestmark = pytest.mark.services
LOAD = Load("folio:test", "ebooks", "2026-03-10|ebooks", "run-1")


def test_a_false_perhaps_drops_no_record(postgres: Postgres, redis_url: str) -> None:
    ledger, client = Ledger(postgres), Redis(redis_url, namespace=uuid.uuid4().hex)
    # Made for one fingerprint and given three hundred: it calls nearly everything "perhaps seen".
    seen = IdempotencyFilter(client, capacity=1, error_rate=0.5)
    units = [Unit(f"k{n}", f"c{n}", n, "create", f"t{n}", 0) for n in range(300)]
    contents, under = {each.idempotency_key: f"sha-{each.record}" for each in units}, Under(Fence(1, "test"), {})
    ledger.prepare(LOAD, units, contents, under)
    ledger.settle(LOAD.ils, [Written(each.idempotency_key, "acknowledged", 1) for each in units])
    remember(ledger, seen, LOAD.ils, LOAD.source, LOAD.partition)

    numbers = [*range(300), *range(1000, 1200)]
    records = pl.DataFrame(
        {"correlation_id": [f"c{n}" for n in numbers], "content_sha256": [f"sha-{n}" for n in numbers]}
    )
    window = f"{LOAD.ils}|{LOAD.source}|{LOAD.partition}"
    wrongly = seen.perhaps_seen(window, [f"c{n}:sha-{n}" for n in range(1000, 1200)])
    assert sum(wrongly) > 150  # else this test shows nothing
    matched = records.select("correlation_id", pl.lit("new").alias("verdict"))
    marked = mark_seen(matched, records, ledger, seen, LOAD.ils, LOAD.source, LOAD.partition)
    assert marked["verdict"].to_list() == ["seen"] * 300 + ["new"] * 200
    client.close()
