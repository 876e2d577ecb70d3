"""Who may see what."""

from __future__ import annotations

import pytest

from b2bua.http.access import CLOSED, is_loopback
from b2bua.trace.recorder import Recorder
from tests.http.live import site_of
from tests.http.requests import get

PUBLIC = ("/metrics", "/healthz", "/readyz")
REFUSED = f"{CLOSED}\n"


def recorder() -> Recorder:
    return Recorder(5, lambda: 0.0)


@pytest.mark.parametrize("path", PUBLIC)
@pytest.mark.parametrize("client", ["127.0.0.1", "192.0.2.1"])
@pytest.mark.parametrize("public_only", [True, False])
def test_public_paths_are_for_everybody(path: str, client: str, public_only: bool) -> None:
    assert get(site_of(recorder(), public_only=public_only), path, client).responseCode == 200


@pytest.mark.parametrize("path", ["/api/trace", "/api/trace?follow=1", "/api", "/", "/nothing", "/api/trace/x"])
def test_the_rest_is_not(path: str) -> None:
    for site, client in ((site_of(recorder()), "192.0.2.1"), (site_of(recorder(), public_only=True), "127.0.0.1")):
        answer = get(site, path, client)
        assert (answer.responseCode, answer.text) == (403, REFUSED)


def test_name_that_resolves_to_loopback_is_not_enough() -> None:
    """A page in the user's browser may have its own name resolve to 127.0.0.1."""
    assert get(site_of(recorder()), "/api/trace", host="evil.example.com").responseCode == 403
    assert get(site_of(recorder()), "/api/trace", host="localhost").responseCode == 200


def test_proxy_on_loopback_speaks_for_somebody_else() -> None:
    assert get(site_of(recorder()), "/api/trace", x_forwarded_for="192.0.2.1").responseCode == 403


@pytest.mark.parametrize("path", ["/nothing", "/api", "/api/nothing"])
def test_nothing_there(path: str) -> None:
    answer = get(site_of(recorder()), path)
    assert (answer.responseCode, answer.text) == (404, "there is nothing at this path\n")


def test_no_tracebacks_for_users() -> None:
    assert site_of(recorder()).displayTracebacks is False


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "[::1]", "::ffff:127.0.0.1", "localhost"])
def test_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["192.0.2.1", "0.0.0.0", "::", "::ffff:192.0.2.1", "", "host"])
def test_not_loopback(host: str) -> None:
    assert not is_loopback(host)
