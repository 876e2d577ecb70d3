"""The table of routes against the pages that a whole server serves, and the description that is made from it."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from twisted.internet import reactor

from b2bua.assembly.api_pages import api_pages
from b2bua.assembly.mistakes import Mistakes
from b2bua.config.settings import Settings
from b2bua.drain import Drain
from b2bua.faults.faults import Faults
from b2bua.feature_server.feature_faults import FeatureFaults
from b2bua.http.api_events import EventsPage
from b2bua.http.api_logs import LogsPage
from b2bua.http.api_routes import BY_NAME, ROUTES
from b2bua.http.api_session import SessionPage
from b2bua.http.api_trace import TracePage
from b2bua.http.openapi import OpenApiPage
from b2bua.http.routes import Role
from b2bua.log.events import quiet
from b2bua.service import Server
from b2bua.trace.recorder import Recorder
from tests.http.live import site_of
from tests.http.requests import FakeRequest, get

ADDED = {"trace": TracePage, "events": EventsPage, "logs": LogsPage, "session": SessionPage, "openapi.json": OpenApiPage}
"""What the site itself brings."""


@pytest.fixture(scope="module")
def pages() -> dict[str, Any]:
    """Those of a server with nothing but defaults; it listens nowhere, and has no faults."""
    server = Server(Settings(store="memory:", listen=()), reactor, quiet)
    server.faults = Faults(
        lambda *_: "", lambda _: "", lambda _: lambda: 0.0, server.observer, quiet, lambda _: None,
        FeatureFaults(list, server.observer, Mistakes(server.observer, quiet).failed)
    )  # fmt: skip
    try:
        drain = Drain(server.admission, lambda: 0, lambda *_: None, lambda: None, quiet)
        return ADDED | {name.decode(): page for name, page in api_pages(server, drain).items()}
    finally:
        server.store.close()


def test_every_page_has_its_route_and_every_route_its_page(pages: dict[str, Any]) -> None:
    assert set(pages) == set(BY_NAME)
    assert [route.name for route in ROUTES] == sorted(BY_NAME)


def test_every_method_is_described_and_no_other(pages: dict[str, Any]) -> None:
    for name, page in pages.items():
        rendered = {word.removeprefix("render_") for word in dir(page) if re.fullmatch("render_[A-Z]+", word)} - {"HEAD"}
        assert rendered == {one.method for one in BY_NAME[name].operations}, name


def test_what_looks_is_for_readers_and_what_changes_for_operators() -> None:
    for route in ROUTES:
        for one in route.operations:
            wanted = None if route.name == "session" else Role.READ_ONLY if one.method == "GET" else Role.OPERATOR
            assert one.role is wanted, (route.name, one.method)


def test_the_description_is_served_and_tells_what_is_there() -> None:
    answer = get(site_of(Recorder(5, lambda: 0.0)), "/api/openapi.json")
    assert (answer.responseCode, answer.content_type) == (200, "application/json")
    told = json.loads(answer.text)
    assert told["openapi"] == "3.1.0"
    assert set(told["paths"]) == {"/api/trace", "/api/events", "/api/logs", "/api/session", "/api/openapi.json"}
    login = told["paths"]["/api/session"]["post"]
    assert login["security"] == [{}] and {"200", "400", "401", "429", "503"} <= set(login["responses"])
    assert [word["name"] for word in login["parameters"]] == ["X-B2Bua"]


def test_a_method_that_a_path_does_not_have_is_405() -> None:
    site = site_of(Recorder(5, lambda: 0.0))
    request = FakeRequest("/api/trace", x_b2bua="1")
    request.method = b"PUT"
    request.render(site.getResourceFor(request))
    assert (request.responseCode, request.text) == (405, "/api/trace takes GET, HEAD\n")
    assert request.responseHeaders.getRawHeaders("allow") == ["GET, HEAD"]
