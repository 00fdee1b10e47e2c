"""Addresses and secrets: checked at once, never shown."""

from __future__ import annotations

import base64

import pytest

from holdfast.environment import VARIABLES, read_environment
from holdfast.settings import SettingsError, parse_settings

KEY = base64.b64encode(b"k" * 32).decode()


def test_what_is_set_is_read_and_the_rest_is_empty() -> None:
    environment = read_environment({"HOLDFAST_REDIS_URL": "redis://h", "PATH": "/bin"})
    assert environment.get("HOLDFAST_REDIS_URL") == "redis://h"
    assert environment.get("HOLDFAST_POSTGRES_URL") == ""
    assert environment.get("PATH") == ""


def test_a_variable_that_is_needed_says_what_it_is_and_what_sets_it() -> None:
    with pytest.raises(SettingsError, match=r"HOLDFAST_REDIS_URL is not set: Redis.*holdfast services start"):
        read_environment({}).need("HOLDFAST_REDIS_URL")
    assert read_environment({"HOLDFAST_REDIS_URL": "redis://h"}).need("HOLDFAST_REDIS_URL") == "redis://h"


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("HOLDFAST_POSTGRES_URL", "mysql://u:hidden@h/d", "must start with postgresql:// or postgres://"),
        ("HOLDFAST_REDIS_URL", "http://:hidden@h", "must start with redis:// or rediss:// or unix://"),
        ("HOLDFAST_ELASTICSEARCH_URL", "hidden", "must start with http:// or https://"),
        ("HOLDFAST_BROKER_URL", "unix:///hidden", "or redis:// or rediss:// or redis+socket://"),
        ("HOLDFAST_RESULTS_URL", "amqp://hidden", "must start with redis:// or rediss://"),
        ("HOLDFAST_ILS_URL", "ftp://hidden", "must start with http:// or https://"),
        ("HOLDFAST_MASKING_SALT", "hidden", "found 6 characters; 16 at least"),
        ("HOLDFAST_VAULT_KEY", "hidden!", "base64 of exactly 32 bytes"),
        ("HOLDFAST_VAULT_KEY", base64.b64encode(b"hidden").decode(), "openssl rand -base64 32"),
    ],
)
def test_a_wrong_form_is_named_by_its_variable_and_what_is_allowed_without_the_value(
    name: str, value: str, says: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        read_environment({name: value})
    assert str(caught.value).startswith(f"{name}: ") and says in str(caught.value)
    assert "hidden" not in str(caught.value) and value not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("HOLDFAST_REDIS_URI", "did you mean HOLDFAST_REDIS_URL?"),
        ("HOLDFAST_MASKING_SLAT", "did you mean HOLDFAST_MASKING_SALT?"),
        ("HOLDFAST_COFFEE_TEMPERATURE", "unset it; those that are: HOLDFAST_CONFIG, HOLDFAST_VAR, "),
    ],
)
def test_a_variable_that_nobody_reads_is_named_with_the_one_that_may_be_meant(name: str, says: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_environment({name: "hidden"})
    assert str(caught.value).startswith(f"{name}: no such variable is known") and says in str(caught.value)
    assert "hidden" not in str(caught.value)


def test_the_variable_of_the_tests_and_those_of_others_are_left_alone() -> None:
    read_environment({"HOLDFAST_TEST_DATA": "/data", "HOLDFASTER": "x", "holdfast_x": "y"})


def test_every_fault_is_told_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        read_environment({"HOLDFAST_REDIS_URL": "x", "HOLDFAST_MASKING_SALT": "x", "HOLDFAST_X": "x"})
    assert len(str(caught.value).splitlines()) == 3


def test_a_right_environment_is_taken() -> None:
    right = {
        "HOLDFAST_POSTGRES_URL": "postgresql://u@/d?host=/s",
        "HOLDFAST_REDIS_URL": "unix:///s/redis.sock?db=0",
        "HOLDFAST_BROKER_URL": "amqp://u:p@h:5672//",
        "HOLDFAST_RESULTS_URL": "redis+socket:///s/redis.sock?virtual_host=1",
        "HOLDFAST_MASKING_SALT": "s" * 16,
        "HOLDFAST_VAULT_KEY": KEY,
    }
    assert right.items() <= read_environment(right).values.items()


def test_a_description_says_which_are_set_and_no_value() -> None:
    rows = read_environment({variable.name: "" for variable in VARIABLES} | {"HOLDFAST_VAULT_KEY": KEY}).describe()
    assert [row[0] for row in rows] == [variable.name for variable in VARIABLES]
    assert {row[0] for row in rows if row[1] == "set"} == {"HOLDFAST_VAULT_KEY"}
    assert KEY not in str(rows)


# ---- logins of sources -----------------------------------------------------------------------------------------------------


def test_a_login_is_a_source_s_own_and_never_shown() -> None:
    environment = read_environment(
        {
            "HOLDFAST_SOURCE_MY_VENDOR_USER": "reader",
            "HOLDFAST_SOURCE_MY_VENDOR_PASSWORD": "hidden-1",
            "HOLDFAST_SOURCE_MY_VENDOR_KEY": "hidden-2",
            "HOLDFAST_COLLECTION_PRINTS_PASSWORD": "hidden-3",
        }
    )
    login = environment.login("SOURCE", "my_vendor")
    assert (login.user, login.password, login.key) == ("reader", "hidden-1", "hidden-2")
    assert environment.login("COLLECTION", "prints").password == "hidden-3"
    assert environment.login("SOURCE", "other").user == ""
    assert "hidden" not in f"{environment!r}{login!r}{environment.describe()}"


@pytest.mark.parametrize("name", ["HOLDFAST_SOURCE_USER", "HOLDFAST_SOURCE_X_PASSWD", "HOLDFAST_COLLECTION_X_KEY"])
def test_a_login_of_another_form_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match=name):
        read_environment({name: "x"})


def test_a_login_belongs_to_a_table_with_an_address() -> None:
    settings = parse_settings(
        '[library]\nname="L"\n[sources.a]\nurl="ftp://h/x"\n[sources.b]\n[collections.c]\nformat="lido"\n'
    )
    read_environment({"HOLDFAST_SOURCE_A_USER": "x"}).check_logins(settings)
    for name in ("HOLDFAST_SOURCE_B_USER", "HOLDFAST_SOURCE_AA_USER"):
        with pytest.raises(SettingsError, match=rf"{name}: no such table.*allowed: A"):
            read_environment({name: "x"}).check_logins(settings)
    with pytest.raises(SettingsError, match="none: no table has a url"):
        read_environment({"HOLDFAST_COLLECTION_C_USER": "x"}).check_logins(settings)
