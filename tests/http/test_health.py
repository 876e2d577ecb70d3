from __future__ import annotations

import pytest

from b2bua.trace.recorder import Recorder
from tests.http.live import site_of
from tests.http.requests import get


@pytest.mark.parametrize(("is_ready", "status", "text"), [(True, 200, "ready\n"), (False, 503, "not ready\n")])
def test_readyz(is_ready: bool, status: int, text: str) -> None:
    answer = get(site_of(Recorder(0, lambda: 0.0), ready=lambda: is_ready), "/readyz")
    assert (answer.responseCode, answer.text, answer.content_type) == (status, text, "text/plain; charset=utf-8")


def test_healthz_says_ok_even_when_not_ready() -> None:
    answer = get(site_of(Recorder(0, lambda: 0.0), ready=lambda: False), "/healthz")
    assert (answer.responseCode, answer.text) == (200, "ok\n")
