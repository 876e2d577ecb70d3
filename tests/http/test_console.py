"""The web console: its files, whom they are for, and what keeps a peer's text from becoming a page."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

from b2bua.http.api_routes import BY_NAME
from b2bua.trace.recorder import Recorder
from tests.http.live import site_of
from tests.http.requests import FakeRequest, get

PATHS = {"/": "text/html", "/console.css": "text/css", "/console.js": "text/javascript", "/ladder.css": "text/css"}


def asked(path: str, **options: str) -> FakeRequest:
    return get(site_of(Recorder(5, lambda: 0.0)), path, **options)


@pytest.mark.parametrize("path", PATHS)
def test_each_file_comes_with_its_type_and_a_policy(path: str) -> None:
    answer = asked(path)
    assert (answer.responseCode, answer.content_type.partition(";")[0]) == (200, PATHS[path])
    assert answer.text
    policy = (answer.responseHeaders.getRawHeaders("content-security-policy") or [""])[0]
    assert "default-src 'none'" in policy and "script-src 'self'" in policy and "unsafe" not in policy
    assert answer.responseHeaders.getRawHeaders("x-content-type-options") == ["nosniff"]


@pytest.mark.parametrize("path", PATHS)
def test_nobody_elsewhere_sees_them(path: str) -> None:
    assert asked(path, client="192.0.2.7").responseCode == 403
    assert asked(path, host="console.example.com").responseCode == 403
    assert asked(path, x_forwarded_for="192.0.2.7").responseCode == 403
    assert get(site_of(Recorder(5, lambda: 0.0), public_only=True), path).responseCode == 403


def test_the_page_brings_no_script_or_style_in_itself_and_names_what_is_served() -> None:
    page = asked("/").text
    assert not re.search(r"<style|<script(?! src=)| on\w+=| style=", page)
    assert {f"/{name}" for name in re.findall(r'(?:src|href)="([\w.]+)"', page)} == set(PATHS) - {"/"}


def test_what_comes_from_the_server_is_never_taken_for_markup() -> None:
    script = (files("b2bua.http") / "console_files" / "console.js").read_text()
    assert not re.search(r"(inner|outer)HTML\s*[+]?=[^=]|insertAdjacentHTML|document\.write|eval\(|new Function", script)


def test_every_page_of_the_api_that_it_reads_is_there() -> None:
    """Those that a whole server adds are seen by tests/browser."""
    script = (files("b2bua.http") / "console_files" / "console.js").read_text()
    read = set(re.findall(r"api/(\w+)", script))
    assert read <= set(BY_NAME)
    views = {"overview", "registrations", "calls", "lamps", "trace", "entities", "faults", "logs", "settings"}
    assert views | {"session", "events"} <= read
