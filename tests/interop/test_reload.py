"""SIGHUP on the real process: settings, users and features are read again, and a call on hold does not notice."""

from __future__ import annotations

import hashlib
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.lab import Lab
from tests.interop.raw import Raw
from tests.interop.script import Callee, Caller
from tests.interop.server import DOMAIN, Server, command, environment, wait_until

HOST = "127.0.0.58"
RELOADED = "b2bua_config_last_reload_success_timestamp_seconds"

MARK = '''
from b2bua.feature_server.feature import Feature


class Mark(Feature):
    def call_offered(self, call, invite):
        marked = invite.copy()
        marked.append("Subject", "NUMBER")
        return marked
'''


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """A server with a file of settings, a file of users and a directory of features."""
    (tmp_path / "lab.toml").write_text('users = "users.csv"\nfeature_directory = "features"\n')
    (tmp_path / "users.csv").write_text("6001,one\n6002,two\n")
    (tmp_path / "features").mkdir()
    server = Server(tmp_path, HOST, None, options=("--config", "lab.toml"))
    server.users = {"6001": "one", "6002": "two", "6003": "three"}
    made = Lab(server, tmp_path / "lab")
    yield made
    made.close()
    server.kill()


def reload(server: Server) -> None:
    """SIGHUP, and wait until the log says what came of it."""
    said = server.log_text().count(" reloaded ") + server.log_text().count("reload_failed")
    server.process.send_signal(signal.SIGHUP)
    wait_until(
        "reload", lambda: server.log_text().count(" reloaded ") + server.log_text().count("reload_failed") > said
    )


def test_hold_before_and_resume_after_a_reload(lab: Lab, tmp_path: Path) -> None:
    server = lab.server
    a, b = lab.phone("6001"), lab.phone("6002")
    lab.register(a, b)
    caller = Caller(b.user).dial().reinvite("sendonly").wait().reinvite("sendrecv").bye()
    callee = Callee().ring().accept().reinvited("sendonly", "recvonly").reinvited("sendrecv", "sendrecv").byed()
    far, near = lab.start(callee, b), lab.start(caller, a)
    wait_until("held", lambda: server.metric("b2bua_calls_active", state="held") == 1)
    (tmp_path / "features" / "mark.py").write_text(MARK.replace("NUMBER", "one"))
    (tmp_path / "lab.toml").write_text(
        'users = "users.csv"\nfeature_directory = "features"\nfeatures = ["mark"]\nwatchers = "self"\ntrace = 7\n'
    )
    reload(server)
    assert "features, watchers" in server.log_text() or "watchers, features" in server.log_text()
    assert "restart_needed settings=trace" in server.log_text()
    near.go_on()
    near.finish()
    far.finish()
    lab.call(a, Caller(b.user).dial().bye(), b, Callee().ring().accept().byed())
    offered = [hop.message for hop in server.hops() if hop.way[0] == "CM" and hop.message.start.startswith("INVITE")]
    assert [message.get("Subject") for message in offered][-1] == "one"
    server.check_healthy()
    assert server.stop() == 0


EACH = '''
from b2bua.feature_server.feature import Feature


class Each(Feature):
    def call_offered(self, call, invite):
        return self.marked(invite)

    def request_received(self, call, leg, request):
        return self.marked(request)

    def marked(self, request):
        marked = request.copy()
        marked.append("Subject", "NUMBER")
        return marked
'''


@pytest.mark.parametrize("installed", [False, True], ids=["directory", "distribution"])
def test_a_changed_feature_is_for_new_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, installed: bool) -> None:
    """`b2bua reload`, from a directory and from an installed distribution: a call that stands keeps what it began with."""
    folder = tmp_path / "features"
    folder.mkdir()
    (tmp_path / "lab.toml").write_text('features = ["each"]\n' + ("" if installed else 'feature_directory = "features"\n'))
    if installed:
        (folder / "each-1.0.dist-info").mkdir()
        (folder / "each-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: each\nVersion: 1.0\n")
        (folder / "each-1.0.dist-info" / "entry_points.txt").write_text("[b2bua.features]\neach = each:Each\n")
        monkeypatch.setenv("PYTHONPATH", str(folder))
    (folder / "each.py").write_text(EACH.replace("NUMBER", "one"))
    server = Server(tmp_path, HOST, {"6001": "one", "6002": "two"}, options=("--config", "lab.toml"))
    lab = Lab(server, tmp_path / "lab")
    try:
        a, b = lab.phone("6001"), lab.phone("6002")
        lab.register(a, b)
        far = lab.start(Callee().ring().accept().reinvited("sendonly", "recvonly").reinvited("sendrecv", "sendrecv").byed(), b)
        near = lab.start(Caller(b.user).dial().reinvite("sendonly").wait().reinvite("sendrecv").bye(), a)
        wait_until("a hold", lambda: subjects(server) == ["one", "one"])
        (folder / "each.py").write_text(EACH.replace("NUMBER", "two"))
        argv = command("reload", "--url", f"http://{server.http_host}:{server.http_port}")
        done = subprocess.run(argv, env=environment(), capture_output=True, text=True, timeout=30, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        near.go_on()
        near.finish()
        far.finish()
        lab.call(a, Caller(b.user).dial().bye(), b, Callee().ring().accept().byed())
        assert subjects(server) == ["one", "one", "one", "two"]
        server.check_healthy()
        assert server.stop() == 0
    finally:
        lab.close()
        server.kill()


def subjects(server: Server) -> list[str | None]:
    """Of the INVITEs that Communication Manager sent on."""
    hops = [hop.message for hop in server.hops() if hop.way == ("CM", "SM")]
    return [message.get("Subject") for message in hops if message.start.startswith("INVITE")]


def test_users_of_the_file_come_and_go(lab: Lab, tmp_path: Path) -> None:
    """From `user,password` to htdigest: 6002 is taken out, 6003 comes in, 6001 keeps the password."""
    server = lab.server
    phones = {name: Raw(server, name) for name in server.users}
    try:
        assert [phones[name].register() for name in ("6001", "6002", "6003")] == [200, 200, 401]
        lines = [
            f"{name}:{DOMAIN}:{hashlib.md5(f'{name}:{DOMAIN}:{server.users[name]}'.encode()).hexdigest()}\n"
            for name in ("6001", "6003")
        ]
        (tmp_path / "users.csv").write_text("".join(lines))
        reload(server)
        assert [phones[name].register() for name in ("6001", "6002", "6003")] == [200, 401, 200]
    finally:
        for phone in phones.values():
            phone.close()
    assert server.stop() == 0


BAD = (
    ('users = "users.csv"\nfeaturs = []\n', "6001,one\n", "lab.toml:2: unknown key 'featurs'"),
    ("users = [\n", "6001,one\n", "lab.toml:"),
    ('users = "users.csv"\nfeatures = ["nothing"]\n', "6001,one\n", "feature 'nothing' not found"),
    ('users = "nowhere"\n', "6001,one\n", "nowhere: No such file"),
    ('users = "users.csv"\ndigest_algorithms = ["SHA-256"]\n', f"6001:{DOMAIN}:{'0' * 32}\n", "users.csv:1: user 6001 needs"),
    ('users = "users.csv"\nwatchers = "self"\n', "6003,three\nnonsense\n", "users.csv:2: not a line user,password"),
)
"""Settings, users, and what the log says of them."""


def test_a_bad_file_leaves_everything_as_it_was(lab: Lab, tmp_path: Path) -> None:
    server = lab.server
    raw = Raw(server, "6001")
    before = server.metric(RELOADED)
    try:
        for settings, users, reason in BAD:
            (tmp_path / "lab.toml").write_text(settings)
            (tmp_path / "users.csv").write_text(users)
            reload(server)
            said = server.log_text().splitlines()[-1]
            assert "reload_failed" in said and reason in said
            assert (server.metric("b2bua_config_last_reload_successful"), server.metric(RELOADED)) == (0, before)
            assert raw.register() == 200
        (tmp_path / "lab.toml").write_text('users = "users.csv"\n')
        (tmp_path / "users.csv").write_text("6001,one\n")
        reload(server)
        assert server.metric("b2bua_config_last_reload_successful") == 1
        assert server.metric(RELOADED) > before
        assert raw.register() == 200
    finally:
        raw.close()
    server.check_healthy()
    assert server.stop() == 0


def test_codes_and_defaults_are_followed(lab: Lab, tmp_path: Path) -> None:
    """And a reload that cannot be leaves them as they are."""
    server = lab.server
    a, b, c = lab.phone("6001"), lab.phone("6002"), lab.phone("6003")
    (tmp_path / "users.csv").write_text("6001,one\n6002,two\n6003,three\n")
    begin = 'users = "users.csv"\nfeatures = ["do_not_disturb", "forwarding", "hold", "lamps"]\n'
    (tmp_path / "lab.toml").write_text(begin)
    reload(server)
    lab.register(a, b, c)
    lab.start(Caller("*78").invite().refused(480), c).finish()
    lab.start(Caller(c.user).invite().refused(486), a).finish()
    changed = begin + '[feature_codes]\ndo_not_disturb_off = "#79"\n[user_defaults]\ndo_not_disturb_status = "603"\n'
    (tmp_path / "lab.toml").write_text(changed)
    reload(server)
    lab.start(Caller(c.user).invite().refused(603), a).finish()
    lab.start(Caller("*79").invite().refused(404), c).finish()
    (tmp_path / "lab.toml").write_text(begin + '[feature_codes]\ndo_not_distrub = "*1"\n')
    reload(server)
    assert "feature_codes: do_not_distrub: no feature in use has a code of this name" in server.log_text()
    lab.start(Caller("%2379").invite().refused(480), c).finish()
    lab.call(a, Caller(c.user).dial().bye(), c, Callee().ring().accept().byed())
    server.check_healthy()
    assert server.stop() == 0
