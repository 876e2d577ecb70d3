"""The restart matrix: every cell green, the gauges right at the first scrape, and the README shows just what was found."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.interop.server import Server
from tests.restart import matrix

HOST = "127.0.0.92"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[matrix.Found, Server]]:
    found, server = matrix.run(tmp_path_factory.mktemp("matrix"), HOST)
    try:
        yield found, server
    finally:
        server.kill()


@pytest.fixture(scope="module")
def found(run: tuple[matrix.Found, Server]) -> matrix.Found:
    return run[0]


def test_no_cell_is_red(found: matrix.Found) -> None:
    assert not found.wrong, "\n\n".join(f"{key}: {why}" for key, why in found.wrong.items())


def test_the_gauges_are_right_at_the_first_scrape(found: matrix.Found) -> None:
    """Those of a re-INVITE in flight may be held by then or not; nothing is in set-up any more."""
    for name in found.before:
        if not name.startswith("b2bua_calls"):
            assert found.gauges[name] == found.before[name], name
    early, confirmed, held = (found.gauges[f'b2bua_calls_active{{state="{state}"}}'] for state in ("early", "confirmed", "held"))
    of_state = len(matrix.ACTIONS) * len(matrix.TRANSPORTS)
    assert early == 0 and confirmed + held == 5 * of_state
    assert 3 * of_state <= held <= 4 * of_state


def test_no_call_is_left(found: matrix.Found) -> None:
    assert not any(value for name, value in found.after.items() if name.startswith("b2bua_calls"))


def test_the_server_has_made_no_mistake(run: tuple[matrix.Found, Server]) -> None:
    run[1].check_healthy()


def test_the_readme_shows_it(found: matrix.Found) -> None:
    text = matrix.README.read_text(encoding="utf-8")
    assert text == matrix.written(text, matrix.table(set(found.wrong))), "make drill writes it"
