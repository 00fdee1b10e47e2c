"""Tenant and token at the gate."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

INSTANCES = "/instance-storage/instances"


def test_tokens_come_as_http_only_cookies_and_not_in_the_body(ils: Any) -> None:
    answer = ils.login()
    cookies = answer.headers.get_list("set-cookie")
    access, refresh = (next(c for c in cookies if c.startswith(name)) for name in ("folioAccess", "folioRefresh"))
    assert "HttpOnly" in access and "Path=/;" in access and "Max-Age=600" in access
    assert "HttpOnly" in refresh and "Path=/authn" in refresh
    assert set(answer.json()) == {"accessTokenExpiration", "refreshTokenExpiration"}


@pytest.mark.parametrize("header", ["X-Okapi-Token", "Authorization"])
def test_a_token_is_taken_from_a_header_too(ils: Any, header: str) -> None:
    token = ils.http.cookies.get("folioAccessToken", path="/")
    value = f"Bearer {token}" if header == "Authorization" else token
    assert httpx.get(ils.url + INSTANCES, headers={"X-Okapi-Tenant": "demo", header: value}).status_code == 200
    for headers in ({header: value}, {"X-Okapi-Tenant": "other", header: value}, {"X-Okapi-Tenant": "demo", header: value[:-2]}, {"X-Okapi-Tenant": "demo"}):  # fmt: skip
        answer = httpx.get(ils.url + INSTANCES, headers=headers)
        assert (answer.status_code, answer.headers["content-type"].split(";")[0]) == (401, "text/plain")


@pytest.mark.parametrize("change", [{"username": "x"}, {"password": "x"}, {"password": None}])
def test_wrong_credentials_are_refused(ils: Any, change: dict[str, Any]) -> None:
    given = {"username": "demo", "password": "demo-secret"} | change
    answer = ils.http.post("/authn/login-with-expiry", json=given)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["code"] == "password.incorrect"


def test_a_refresh_token_is_good_once(ils: Any) -> None:
    ils.login()
    cookies = {"folioRefreshToken": ils.http.cookies.get("folioRefreshToken", path="/authn")}
    headers = {"X-Okapi-Tenant": "demo"}
    with httpx.Client(base_url=ils.url, cookies=cookies, headers=headers) as other:
        assert other.post("/authn/refresh").status_code == 201
    with httpx.Client(base_url=ils.url, cookies=cookies, headers=headers) as other:
        assert other.post("/authn/refresh").status_code == 422


def test_after_a_logout_there_is_no_refresh(ils: Any) -> None:
    ils.login()
    refresh = {"folioRefreshToken": ils.http.cookies.get("folioRefreshToken", path="/authn")}
    assert ils.http.post("/authn/logout").status_code == 204
    with httpx.Client(base_url=ils.url, cookies=refresh, headers={"X-Okapi-Tenant": "demo"}) as other:
        assert other.post("/authn/refresh").status_code == 422
    ils.login()


def test_an_access_token_ends_and_a_refresh_gives_another(own_ils: Any) -> None:
    ils = own_ils("--token-seconds", "0")
    assert ils.http.get(INSTANCES).status_code == 401
    ils.kill()
    ils.options = ("--token-seconds", "600")
    ils.start()
    assert ils.http.post("/authn/refresh").status_code == 201
    assert ils.http.get(INSTANCES).status_code == 200


def test_the_demos_own_paths_take_no_request_from_a_foreign_page(ils: Any) -> None:
    assert ils.http.post("/_demo/reset", headers={"Origin": "http://evil.example"}).status_code == 403
    assert ils.http.get("/_demo/state", headers={"Host": "rebound.example"}).status_code == 403
