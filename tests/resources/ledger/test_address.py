"""A name in the ledger stands for one system."""

from __future__ import annotations

import pytest

from resources.ledger.address import AnotherIlsError, plain_address, remember_address
from resources.postgres.client import Postgres


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("https://okapi.example.org", "https://okapi.example.org:443 tenant diku"),
        ("HTTPS://Okapi.Example.org:443/", "https://okapi.example.org:443 tenant diku"),
        ("http://okapi.example.org:9130/okapi", "http://okapi.example.org:9130/okapi tenant diku"),
        ("https://[2001:db8::1]", "https://[2001:db8::1]:443 tenant diku"),
        ("http://127.0.0.1:41233", "this machine tenant diku"),
        ("http://localhost:8081", "this machine tenant diku"),
        ("http://[::1]:1/", "this machine tenant diku"),
    ],
)
def test_what_tells_one_system_from_another(url: str, address: str) -> None:
    assert plain_address(url, "diku") == address


@pytest.mark.services
def test_a_name_at_another_address_is_refused_and_says_what_to_set(postgres: Postgres) -> None:
    remember_address(postgres, "folio:diku", "https://folio.example.org", "diku")
    remember_address(postgres, "folio:diku", "https://FOLIO.example.org:443/", "diku")
    with pytest.raises(AnotherIlsError) as error:
        remember_address(postgres, "folio:diku", "https://sandbox.example.org", "diku")
    for said in ("HOLDFAST_ILS_URL", "https://folio.example.org:443", 'name = "sandbox"', "moved_from"):
        assert said in str(error.value)
    remember_address(postgres, "sandbox", "https://sandbox.example.org", "diku")
    # The refusal changed nothing.
    remember_address(postgres, "folio:diku", "https://folio.example.org", "diku")


@pytest.mark.services
def test_a_system_that_moved_is_let_through_from_the_address_that_it_had_and_no_other(postgres: Postgres) -> None:
    remember_address(postgres, "folio:diku", "https://old.example.org", "diku")
    with pytest.raises(AnotherIlsError):
        remember_address(postgres, "folio:diku", "https://new.example.org", "diku", "https://older.example.org")
    remember_address(postgres, "folio:diku", "https://new.example.org", "diku", "https://old.example.org")
    remember_address(postgres, "folio:diku", "https://new.example.org", "diku")
    with pytest.raises(AnotherIlsError):
        remember_address(postgres, "folio:diku", "https://old.example.org", "diku")


@pytest.mark.services
def test_the_demo_library_keeps_its_name_on_whatever_port(postgres: Postgres) -> None:
    for port in (8081, 41233):
        remember_address(postgres, "folio:demo", f"http://127.0.0.1:{port}", "demo")
