"""One server per test module, and a lab of phones around it; what they logged is shown when a test fails."""

from __future__ import annotations

import platform
import shutil
import sys
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.interop.lab import Lab
from tests.interop.phones import STANDING
from tests.interop.server import Server

USERS = {str(number): f"secret-{number}-word" for number in range(6001, 6300)}
PROGRAMS = ("sipp", "baresip", "xmllint", "prometheus", "promtool", "tshark", "sngrep")
# PJSIP comes as a wheel for these only (pyproject.toml says the same); elsewhere its tests cannot exist, which the end
# of the run says. Where there is a wheel, one that is not installed fails them.
PJSIP_EXISTS = platform.machine() == "x86_64" and sys.platform == "linux" and sys.version_info < (3, 13)
collect_ignore_glob = [] if PJSIP_EXISTS else ["test_pjsip*.py"]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not PJSIP_EXISTS:
        terminalreporter.write_line("no PJSIP for this machine or Python: tests/interop/test_pjsip*.py are left out")


@pytest.fixture(scope="session", autouse=True)
def programs() -> None:
    """`make system` installs them; without them nothing here may seem to pass."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    assert not missing, f"not installed: {', '.join(missing)} (make system)"


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a memory store; the module's HOST says on which loopback address, its LISTEN where besides UDP there,
    its SETTINGS are TOML lines. Ends by SIGTERM, cleanly."""
    directory = tmp_path_factory.mktemp("server")
    (directory / "settings.toml").write_text(getattr(request.module, "SETTINGS", ""))
    options = ("--config", str(directory / "settings.toml"))
    started = Server(directory, request.module.HOST, USERS, options=options, more=getattr(request.module, "LISTEN", ()))
    try:
        yield started
        started.check_healthy()
        assert started.stop() == 0
    finally:
        started.kill()


@pytest.fixture
def lab(request: pytest.FixtureRequest, server: Server, tmp_path: Path) -> Iterator[Lab]:
    """Phones for one test, each with a user of its own; whatever still runs at its end is ended."""
    made = Lab(server, tmp_path)
    yield made
    made.close()
    if getattr(request.node, "failed", False):
        print(made.story(), file=sys.stderr)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.when == "call":
        item.failed = report.failed  # type: ignore[attr-defined]  # a note for the fixture above
        if report.failed:  # so that the next test tells about itself
            for phones in STANDING:
                phones.clear()
    return report
