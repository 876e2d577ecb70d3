"""The command line: what it prints, where, and with which status; most run in this process, two as a user runs them."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import b2bua
from b2bua import __version__
from b2bua.cli import main
from b2bua.config.addresses import Listen
from b2bua.config.settings import ConfigError, Settings
from b2bua.config.sources import load_settings
from b2bua.sip.digest import ha1
from b2bua.store.interface import StoreError
from b2bua.store.opening import open_store

HERE = Path(b2bua.__file__).resolve().parents[1]
"""Where this process has b2bua from: the checkout, or an installation."""
LACKS_MD5 = "digest_algorithms: user 6001 has no HA1 by MD5; give the password again: b2bua user add 6001"
UNSUPPORTED = "is not supported; supported: memory:, sqlite:PATH"


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture(autouse=True)
def alone(tmp_path, monkeypatch):
    """A working directory of its own and no settings from outside."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("B2BUA_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def call(capsys, monkeypatch):
    """`call("user", "list", stdin="…")` → (status, standard output, standard error); stdin None is a terminal."""

    def run(*arguments, stdin=""):
        monkeypatch.setattr(sys, "stdin", Terminal() if stdin is None else io.StringIO(stdin))
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        return caught.value.code, *capsys.readouterr()

    return run


@pytest.fixture
def service(monkeypatch):
    """Stands in for b2bua.service; `service.seen` are the settings it was run with, `service.outcome` what it does."""
    module = ModuleType("b2bua.service")
    module.seen, module.outcome = [], 0

    def run(settings, read):
        module.seen.append(settings)
        assert read() == settings
        if isinstance(module.outcome, Exception):
            raise module.outcome
        return module.outcome

    module.run = run
    monkeypatch.setitem(sys.modules, "b2bua.service", module)
    return module


def stored(name="6001", realm="lab.internal", url="sqlite:var/b2bua.db"):
    store = open_store(url, realm, lambda function, *arguments: function(*arguments))
    try:
        return store.user(name)
    finally:
        store.close()


# ---- run


def test_run_with_defaults(call, service):
    assert call("run") == (0, "", "")
    assert service.seen == [Settings()]


def test_run_with_every_option(call, service):
    Path("lab.toml").write_text('watchers = "self"\ndomain = "file.example.com"')
    status, _, _ = call(
        "run", "--config", "lab.toml", "--domain", "example.com", "--listen", "udp:127.0.0.1:0",
        "--listen", "udp:127.0.0.2:5070/192.0.2.1", "--http", "127.0.0.1:0", "--users", "users.csv",
        "--store", "memory:", "--trace", "5", "--trace-secrets", "--challenge-reinvite", "never",
    )  # fmt: skip
    assert status == 0
    assert service.seen == [
        Settings(
            domain="example.com",
            listen=(Listen("udp", "127.0.0.1", 0), Listen("udp", "127.0.0.2", 5070, ("192.0.2.1", 5070))),
            http=("127.0.0.1", 0),
            users=Path("users.csv"),
            store="memory:",
            trace=5,
            trace_secrets=True,
            challenge_reinvite="never",
            watchers="self",
        )
    ]


def test_the_status_of_the_service_is_ours(call, service):
    service.outcome = 3
    assert call("run")[0] == 3


@pytest.mark.parametrize(
    ("outcome", "line"),
    [
        (ConfigError("feature: unknown"), "feature: unknown"),
        (StoreError("b2bua.db: no\ndatabase"), "b2bua.db: no database"),
        (OSError(98, "Address already in use"), "Address already in use"),
        (OSError("127.0.0.1:5060: address already in use"), "127.0.0.1:5060: address already in use"),
        (FileNotFoundError(2, "No such file or directory", "x.csv"), "x.csv: No such file or directory"),
    ],
)
def test_what_the_user_can_put_right_is_one_line(call, service, outcome, line):
    service.outcome = outcome
    assert call("run") == (2, "", f"b2bua: {line}\n")


def test_our_own_mistakes_are_not_hidden(service):
    service.outcome = KeyError("a mistake")
    with pytest.raises(KeyError):
        main(["run"])


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--listen", "udp:127.0.0.1"], "--listen: '127.0.0.1' has no port"),
        (["--listen", "tls:127.0.0.1:1"], "--listen: tls:127.0.0.1:1 needs a certificate: tls_cert is not set"),
        (["--listen", "sctp:127.0.0.1:1"], "--listen: 'sctp:127.0.0.1:1': the transport is none of udp, tcp, tls, ws, wss"),
        (["--tls-ca", "ca.pem"], "--tls-ca: without tls_cert it means nothing"),
        (["--trace", "many"], "--trace: expected int, got str"),
        (["--config", "missing.toml"], "missing.toml: No such file or directory"),
    ],
)
def test_a_bad_option_is_one_line(call, service, arguments, line):
    assert call("run", *arguments) == (2, "", f"b2bua: {line}\n")
    assert service.seen == []


def test_a_bad_file_is_one_line(call, service):
    Path("lab.toml").write_text('domain = "example.com"\nlisen = []')
    expected = "b2bua: lab.toml:2: unknown key 'lisen'; the nearest known key is 'listen'\n"
    assert call("run", "--config", "lab.toml") == (2, "", expected)


def test_an_unknown_option_ends_with_2(call):
    status, output, errors = call("run", "--lisen", "udp:127.0.0.1:0")
    assert (status, output) == (2, "")
    assert "--listen" in errors


# ---- user


def test_a_user_is_added_changed_listed_and_removed(call):
    assert call("user", "add", "6002", stdin="other\n") == (0, "user 6002 added\n", "")
    assert call("user", "add", "6001", stdin="first\n") == (0, "user 6001 added\n", "")
    assert call("user", "add", "6001", stdin="second\n") == (0, "user 6001 changed\n", "")
    assert stored().ha1s["MD5"] == ha1("6001", "lab.internal", "second")
    assert call("user", "list") == (0, "6001\n6002\n", "")
    assert call("user", "remove", "6001") == (0, "user 6001 removed\n", "")
    assert call("user", "remove", "6001") == (2, "", "b2bua: user 6001: there is no such user\n")
    assert call("user", "list") == (0, "6002\n", "")


def test_who_changes_a_user_of_the_file_hears_that_the_file_counts(call):
    """The server's next reload undid it without a word."""
    Path("users.csv").write_text("6001,one\n")
    Path("lab.toml").write_text('users = "users.csv"\n')
    told = "user 6001 stands in users.csv, which counts with each reload: change it there, too\n"
    with_file = "--config", "lab.toml"
    assert call("user", "add", "6001", *with_file, stdin="two\n") == (0, "user 6001 added\n", told)
    assert call("user", "remove", "6001", *with_file) == (0, "user 6001 removed\n", told)
    assert call("user", "add", "6002", *with_file, stdin="two\n") == (0, "user 6002 added\n", "")
    Path("users.csv").write_text("nonsense\n")
    assert call("user", "add", "6001", *with_file, stdin="two\n") == (0, "user 6001 added\n", "")


@pytest.mark.parametrize("command", [("list",), ("remove", "6001"), ("export", "users.htdigest")])
def test_a_mistyped_store_is_not_made(call, command):
    status, printed, said = call("user", *command, "--store", "sqlite:none/none.db")
    assert (status, printed) == (2, "") and said.startswith("b2bua: store: none/none.db: there is no such file")
    assert not Path("none").exists()


MOOD = """
from b2bua.feature_server.feature import Feature

class Mood(Feature):
    settings = {"mood": "how the user feels"}

    @classmethod
    def check_setting(cls, name, value):
        if value == "bad":
            raise ValueError("nobody wants that")
"""


def with_mood(call, tmp_path):
    (tmp_path / "mood.py").write_text(MOOD)
    (tmp_path / "lab.toml").write_text('features = ["mood"]\nfeature_directory = "."\n')
    call("user", "add", "6001", stdin="secret\n")


def test_what_a_user_has_set_is_changed_and_shown(call, tmp_path):
    with_mood(call, tmp_path)
    lab = ("--config", "lab.toml")
    assert call("user", "set", "6001", "mood", "calm", *lab) == (0, "user 6001: mood = calm\n", "")
    assert call("user", "set", "6001", "mood", "quite calm", *lab) == (0, "user 6001: mood = quite calm\n", "")
    assert call("user", "show", "6001", *lab) == (0, "mood = quite calm\n", "")
    assert call("user", "unset", "6001", "mood", *lab) == (0, "user 6001: mood is not set any more\n", "")
    assert call("user", "show", "6001", *lab) == (0, "", "")


def test_who_gets_the_name_of_a_removed_user_begins_anew(call, tmp_path):
    with_mood(call, tmp_path)
    call("user", "set", "6001", "mood", "calm", "--config", "lab.toml")
    call("user", "remove", "6001")
    call("user", "add", "6001", stdin="secret\n")
    assert call("user", "show", "6001") == (0, "", "")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("set", "6001", "mod", "calm"), "setting mod: unknown setting 'mod'; the nearest known setting is 'mood'"),
        (("set", "6001", "mood", "bad"), "setting mood: nobody wants that"),
        (("set", "6001", "mood", ""), "setting mood: an empty value; `b2bua user unset 6001 mood` takes it back"),
        (("set", "6001", "mood", "a\tb"), "setting mood: a value is printable and has at most 1024 characters"),
        (("set", "6009", "mood", "calm"), "user 6009: there is no such user"),
        (("show", "6009"), "user 6009: there is no such user"),
        (("unset", "6001", "mood"), "user 6001: mood is not set"),
        (("set", "6001", "mood", "x", "--store", "memory:"), "store: memory: keeps no settings; name a sqlite:PATH"),
        (("show", "6001", "--store", "sqlite:no.db"),
         "store: no.db: there is no such file; a server's first start makes it, or `b2bua user add`"),
    ],
)  # fmt: skip
def test_a_refused_setting_is_one_line(call, tmp_path, arguments, line):
    with_mood(call, tmp_path)
    assert call("user", *arguments, "--config", "lab.toml") == (2, "", f"b2bua: {line}\n")


def test_users_are_imported(call):
    Path("users.csv").write_text("6001,one\n6002,two\n")
    options = ("--store", "sqlite:other.db", "--domain", "example.com")
    assert call("user", "import", "users.csv", *options) == (0, "2 users imported\n", "")
    assert stored("6002", "example.com", "sqlite:other.db").ha1s["MD5"] == ha1("6002", "example.com", "two")
    Path("users.csv").write_text("6003,three\nsecret\n")
    assert call("user", "import", "users.csv", *options) == (2, "", "b2bua: users.csv:2: not a line user,password\n")
    assert call("user", "list", *options) == (0, "6001\n6002\n", "")


def test_a_csv_file_with_a_header_and_quotes_is_imported(call):
    Path("users.csv").write_text('Extension,Name of the desk,Password\n6001,"Anna, desk","with,comma"\n')
    assert call("user", "import", "users.csv") == (0, "1 users imported\n", "")
    assert stored().ha1s["MD5"] == ha1("6001", "lab.internal", "with,comma")


def test_users_go_to_an_htdigest_file_and_come_back(call):
    for name in ("6002", "6001"):
        assert call("user", "add", name, stdin="secret\n")[0] == 0
    assert call("user", "export", "users.htdigest") == (0, "2 users exported\n", "")
    path = Path("users.htdigest")
    lines = [f"{name}:lab.internal:{ha1(name, 'lab.internal', 'secret')}\n" for name in ("6001", "6002")]
    assert path.read_text() == "".join(lines)
    assert path.stat().st_mode & 0o777 == 0o600
    assert call("user", "export", "users.htdigest") == (2, "", "b2bua: users.htdigest: File exists\n")
    assert call("user", "import", "users.htdigest", "--store", "sqlite:other.db") == (0, "2 users imported\n", "")
    assert stored(url="sqlite:other.db") == stored()
    expected = "b2bua: users.htdigest:1: user 6001 is of the realm 'lab.internal'; the domain is 'example.com'\n"
    assert call("user", "import", "users.htdigest", "--domain", "example.com") == (2, "", expected)


def test_a_user_gets_the_ha1s_of_the_algorithms_that_are_set(call, monkeypatch):
    assert call("user", "add", "6001", stdin="secret\n")[0] == 0
    monkeypatch.setenv("B2BUA_DIGEST_ALGORITHMS", "SHA-256")
    monkeypatch.setenv("B2BUA_USER_DIGEST_ALGORITHMS", "6002=SHA-512-256+MD5")
    for name in ("6001", "6002"):
        assert call("user", "add", name, stdin="secret\n")[0] == 0
    assert stored("6001").ha1s == {"SHA-256": ha1("6001", "lab.internal", "secret", "SHA-256")}
    assert sorted(stored("6002").ha1s) == ["MD5", "SHA-512-256"]
    assert call("config", "check") == (0, "ok\n", "")
    outcome = call("user", "export", "users.htdigest")
    assert outcome == (0, "1 users exported\n", "b2bua: left out, without an MD5 HA1: 6001\n")
    monkeypatch.delenv("B2BUA_DIGEST_ALGORITHMS")
    status, _, errors = call("config", "check")
    assert (status, errors) == (2, f"b2bua: {LACKS_MD5}\n")


def test_the_store_comes_from_the_same_sources_as_the_servers(call, monkeypatch):
    Path("lab.toml").write_text('store = "sqlite:lab.db"\nlisten = ["tls:127.0.0.1:5061"]')
    monkeypatch.setenv("B2BUA_DOMAIN", "example.com")
    assert call("user", "add", "6001", "--config", "lab.toml", stdin="secret\n")[0] == 0
    assert stored(realm="example.com", url="sqlite:lab.db") is not None


def test_the_password_is_asked_for_twice_at_a_terminal(call, monkeypatch):
    answers = iter(["secret", "secret"])
    monkeypatch.setattr("click.termui.hidden_prompt_func", lambda prompt: next(answers))
    assert call("user", "add", "6001", stdin=None)[0] == 0
    assert next(answers, None) is None
    assert stored().ha1s["MD5"] == ha1("6001", "lab.internal", "secret")


@pytest.mark.parametrize(
    ("arguments", "stdin", "line"),
    [
        (["add", "6001"], "", "user 6001: the password is empty"),
        (["add", "6001"], "hunter2 \n", "user 6001: the password begins or ends with a blank"),
        (["add", "60 01"], "hunter2\n", "user 60 01: '60 01' is not a user name"),
        (["add", "6001", "--store", "memory:"], "hunter2\n", "store: memory: keeps no users; name a sqlite:PATH"),
        (["import", "missing.csv"], "", "missing.csv: No such file or directory"),
        (["list", "--store", "redis://a:hunter2@h"], "", f"store: redis://h {UNSUPPORTED}"),
    ],
)  # fmt: skip
def test_a_refused_user_command_is_one_line_without_the_password(call, arguments, stdin, line):
    status, output, errors = call("user", *arguments, stdin=stdin)
    assert (status, output, errors) == (2, "", f"b2bua: {line}\n")
    assert "hunter2" not in errors


def test_a_file_that_is_no_store_is_one_line(call):
    Path("notes.txt").write_text("no database\n" * 1000)
    expected = (2, "", "b2bua: notes.txt: file is not a database\n")
    assert call("user", "list", "--store", "sqlite:notes.txt") == expected


# ---- config


def test_good_settings_are_ok(call, monkeypatch):
    Path("lab.toml").write_text('store = "memory:"\nusers = "users.csv"\n')
    Path("users.csv").write_text("6001,one\n")
    assert call("config", "check", "--config", "lab.toml") == (0, "lab.toml: ok\n", "")
    monkeypatch.setenv("B2BUA_CONFIG", "lab.toml")
    assert call("config", "check") == (0, "lab.toml: ok\n", "")
    assert sorted(path.name for path in Path().iterdir()) == ["lab.toml", "users.csv"]


def test_the_settings_in_effect_are_shown_with_their_sources_and_read_back(call, monkeypatch):
    Path("lab.toml").write_text('domain = "example.com"\n\nstore = "redis://:hunter2@h"\n[challenge]\nBYE = "407"\n')
    monkeypatch.setenv("B2BUA_USER_DIGEST_ALGORITHMS", "a.b=MD5+SHA-256")
    status, output, errors = call("config", "show", "--config", "lab.toml")
    assert (status, errors) == (0, "")
    assert "hunter2" not in output
    lines = output.splitlines()
    assert {
        'domain = "example.com"  # lab.toml:1',
        'store = "redis://h"  # lab.toml:3',
        'challenge = { BYE = "407" }  # lab.toml:4',
        'user_digest_algorithms = { "a.b" = ["SHA-256", "MD5"] }  # B2BUA_USER_DIGEST_ALGORITHMS',
        'listen = ["udp:0.0.0.0:5060", "tcp:0.0.0.0:5060"]  # default',
        'http = "127.0.0.1:8080"  # default',
        "# users = (not set)  # default",
    } <= set(lines)
    Path("shown.toml").write_text(output)
    monkeypatch.delenv("B2BUA_USER_DIGEST_ALGORITHMS")
    assert load_settings(Path("shown.toml"), {}, {}) == Settings(
        domain="example.com", store="redis://h", challenge={"BYE": "407"}, user_digest_algorithms={"a.b": ("SHA-256", "MD5")}
    )


def test_the_reference_is_printed(call):
    status, output, _ = call("config", "reference")
    assert status == 0
    assert "| `domain` | `B2BUA_DOMAIN` | `--domain` |" in output


# ---- trace


@pytest.fixture
def client(monkeypatch):
    import b2bua.trace.client as module

    seen = []
    monkeypatch.setattr(module, "main", lambda token_for, **given: seen.append(given) or 4)
    return seen


def test_trace_hands_its_options_on(call, client):
    assert call("trace")[0] == 4
    arguments = ("--json", "--url", "http://127.0.0.1:1", "--call-id", "c1", "--user", "6001", "--follow", "--secrets")
    assert call("trace", *arguments)[0] == 4
    filters = ("-u", "6001", "-i", "a", "-i", "b", "-s", "s", "-g", "Event=x", "-o", "(?i)y", "-or", "-nr", "-ns", "-no")
    assert call("trace", "--plain", *filters, "x.log")[0] == 4
    several = ("-c", "c1", "-c", "c2", "-u", "6001", "-u", "sip:6002@example.com", "-or")
    assert call("trace", "--addresses", *several)[0] == 4
    assert call("trace", "--export", "pcap", "x.pcap")[0] == 4
    first = {"url": "http://127.0.0.1:8080", "as_json": False, "follow": False, "secrets": False, "plain": False, "file": ""}
    second = {"url": "http://127.0.0.1:1", "as_json": True, "follow": True, "secrets": True, "plain": False, "file": ""}
    both = {"addresses": False, "export": None, "servers": (), "token_files": (), "since": ""}
    first, second = first | both, second | both
    assert client == [
        first | {"filter_words": []},
        second | {"filter_words": ["-c", "c1", "-u", "6001"]},
        first | {"filter_words": list(filters), "plain": True, "file": "x.log"},
        first | {"filter_words": list(several), "addresses": True},
        first | {"filter_words": [], "export": ("pcap", "x.pcap")},
    ]


# ---- as a user runs it


def execute(*arguments, **options):
    environment = os.environ | {"PYTHONPATH": str(HERE)}
    command = [sys.executable, "-m", "b2bua", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment, check=False, **options)


def test_version():
    done = execute("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"b2bua {__version__}\n", "")


def test_a_password_comes_through_a_pipe():
    done = execute("user", "add", "6001", "--store", "sqlite:b2bua.db", input="secret\n")
    assert (done.returncode, done.stdout, done.stderr) == (0, "user 6001 added\n", "")
    assert stored(url="sqlite:b2bua.db").ha1s["MD5"] == ha1("6001", "lab.internal", "secret")
