"""Secrets of a running server: who can read its files, and that nothing it says has any of them in it."""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
import subprocess
import textwrap
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.interop.server import DOMAIN, Server, command, environment
from tests.restart.call import Leg
from tests.restart.phone import Phone

HOST, PHONES = "127.0.0.98", "127.0.0.99"
USERS = {"6001": "first-Word-8231", "6002": "second-Word-9157", "6003": "third-Word-4408"}
FAULTY = """
    from b2bua.feature_server.feature import Feature

    class Faulty(Feature):
        def __init__(self, environment):
            self.environment = environment

        def request_received(self, call, leg, request):
            if request.method == "INFO":
                raise RuntimeError("a mistake of ours")
            return request
"""


class Lab:
    """A server, what it knows that nobody else may, and what has happened to it: calls, wrong passwords, a mistake of ours."""

    def __init__(self, directory: Path, settings: str = "") -> None:
        self.directory = directory
        features = directory / "features"
        features.mkdir()
        (features / "faulty.py").write_text(textwrap.dedent(FAULTY))
        config = directory / "settings.toml"
        config.write_text(f'feature_directory = "{features}"\nfeatures = ["hold", "lamps", "faulty"]\n{settings}')
        self.database = directory / "state" / "b2bua.db"
        self.server = Server(directory, HOST, USERS, f"sqlite:{self.database}", ("--config", str(config)))

    def secrets(self) -> list[str]:
        """Passwords, HA1s, the stored keys in the forms in which they could be told."""
        found = list(USERS.values())
        for user, password in USERS.items():
            found.append(hashlib.md5(f"{user}:{DOMAIN}:{password}".encode(), usedforsecurity=False).hexdigest())
        with closing(sqlite3.connect(self.database)) as database:
            stored = [row[0] for row in database.execute("SELECT record FROM records WHERE kind = 'secret'")]
        assert stored and all(len(text) == 64 for text in stored), "the key that the tokens' is derived from, in hex"
        return found + stored

    async def live(self) -> None:
        """A call with a hold, a mistake in it, and somebody who guesses."""
        one, other, third = (Phone(user, USERS[user], (HOST, self.server.port), PHONES) for user in USERS)
        guessing = Phone("6003", "a-guess", (HOST, self.server.port), PHONES)
        phones = (one, other, third, guessing)
        try:
            for phone in phones:
                await phone.open()
            assert await guessing.register() == 401
            for phone in (one, other, third):
                assert await phone.register() == 200
            await third.watch("6001")
            near = one.leg("6002")
            dialling = asyncio.create_task(near.dial())
            far = await asyncio.wait_for(other.incoming.get(), 10)
            far.answer()
            assert await dialling == 200
            assert (await near.hold()).status == 200
            assert await info(near) == 500
            assert await near.bye() == 200
        finally:
            for phone in phones:
                await phone.close()


async def info(leg: Leg) -> int:
    """An INFO in the call."""
    return (await leg.agent.request("INFO", leg.target, lambda _: leg._lines(), leg._next)).status


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    made = Lab(tmp_path_factory.mktemp("secrets"))
    try:
        asyncio.run(made.live())
        yield made
    finally:
        made.server.kill()


def absent(lab: Lab, where: str, text: str) -> None:
    found = [secret for secret in lab.secrets() if secret in text]
    assert not found, f"{len(found)} secrets in {where}"


def test_files_are_readable_by_their_owner_only(lab: Lab, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    subprocess.run(command("backup", str(copy), "--store", f"sqlite:{lab.database}"), env=environment(), check=True, timeout=30)
    files = [*lab.database.parent.iterdir(), copy]
    assert {"b2bua.db", "b2bua.db-wal", "b2bua.db-shm", "copy.db"} <= {file.name for file in files}
    assert {file.name: oct(file.stat().st_mode & 0o077) for file in files} == {file.name: "0o0" for file in files}
    first = tmp_path / "first"
    first.mkdir()
    server = Server(first, HOST, None, "sqlite:b2bua.db")
    server.kill()
    assert (first / "initial-users").stat().st_mode & 0o777 == 0o600


def test_no_secret_is_told(lab: Lab) -> None:
    log, trace = lab.server.log_text(), lab.server.get("/api/trace")
    assert "REGISTER" in trace and "Digest" in trace
    for where, text in (("the log", log), ("the metrics", lab.server.get("/metrics")), ("the trace", trace)):
        absent(lab, where, text)
    responses = [part.split('"')[1] for part in trace.replace('\\"', '"').split(" response=")[1:]]
    assert responses and set(responses) == {"***"}


def test_no_secret_in_the_report_of_a_mistake(lab: Lab) -> None:
    log = lab.server.log_text()
    assert "Traceback" in log and "a mistake of ours" in log
    absent(lab, "the report", log)
    assert "response=" not in log


def test_no_secret_in_ps_and_no_core_file(lab: Lab) -> None:
    process = Path("/proc") / str(lab.server.process.pid)
    for name in ("cmdline", "environ"):
        absent(lab, name, (process / name).read_bytes().decode("utf-8", "replace"))
    limits = [line.split() for line in (process / "limits").read_text().splitlines() if line.startswith("Max core file size")]
    assert limits[0][4:6] == ["0", "0"]
