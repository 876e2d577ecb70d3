"""Every bad configuration: one line on standard error that names the place, exit status 2, no traceback.

Each row is tried with `b2bua run`, whose line is the first thing that is wrong, and with `b2bua config check`, which finds
the same without starting. What only a start can find (a port taken) is in tests/interop/test_cli_run.py.
"""

# A row a line: it reads as the table that it is.
# ruff: noqa: E501
from __future__ import annotations

import io
import os
import sqlite3
import sys
from pathlib import Path
from types import ModuleType

import pytest

from b2bua.cli import main
from b2bua.config.settings import ConfigError


@pytest.fixture(autouse=True)
def alone(tmp_path, monkeypatch):
    """A working directory of its own, no settings from outside, and a service that must not be reached."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("B2BUA_")]:
        monkeypatch.delenv(name)
    service = ModuleType("b2bua.service")

    def run(settings, read):
        raise AssertionError(f"started with {settings}")

    service.run = run
    monkeypatch.setitem(sys.modules, "b2bua.service", service)


@pytest.fixture
def call(capsys):
    def run(*arguments):
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        return caught.value.code, *capsys.readouterr()

    return run


def one_line(outcome, place):
    status, output, errors = outcome
    assert status == 2 and output == "", outcome
    lines = errors.splitlines()
    assert len(lines) == 1 and errors.endswith("\n"), errors
    assert lines[0].startswith(f"b2bua: {place}"), errors
    return lines[0].removeprefix("b2bua: ")


# ---- in the file

FILES = {
    "unknown key": ('domain = "example.com"\ntrase = 5\n', "lab.toml:2: unknown key 'trase'; the nearest known key is 'trace'"),
    "unknown table": ("[server]\nport = 5060\n", "lab.toml:1: unknown key 'server'; the nearest known key is 'trace_servers'"),
    "unknown dotted key": ('a.b = 1\n', "lab.toml:1: unknown key 'a'; the nearest known key is "),
    "wrong type": ("\n\ntrace = [1]\n", "lab.toml:3: trace: expected int, got array"),
    "text for a number": ('registration_expires_min = "60"\n', "lab.toml:1: registration_expires_min: expected int, got str"),
    "a collector over TLS": (
        'hep = "tls:192.0.2.9:9060"\n', "lab.toml:1: hep: 'tls:192.0.2.9:9060' is not udp:HOST:PORT or tcp:HOST:PORT"
    ),
    "a collector without its port": (
        'hep = "udp:192.0.2.9:0"\n', "lab.toml:1: hep: 'udp:192.0.2.9:0': the collector's port is needed"
    ),
    "a collector without a trace": (
        'hep = "udp:192.0.2.9:9060"\ntrace = 0\n', "lab.toml:1: hep: without a trace there is nothing to send: trace is 0"
    ),
    "number for a flag": ("trace_secrets = 1\n", "lab.toml:1: trace_secrets: expected bool, got int"),
    "text for a list": ('features = "hold"\n', "lab.toml:1: features: expected array, got str"),
    "number in a list": ('features = [\n  "hold", 5]\n', "lab.toml:1: features: expected str, got int"),
    "date": ("domain = 2026-01-01\n", "lab.toml:1: domain: expected str, got date"),
    "below the range": ("registration_expires_max = 0\n", "lab.toml:1: registration_expires_max: expected int >= 1"),
    "above the range": ("nonce_lifetime = 1e9\n", "lab.toml:1: nonce_lifetime: expected float <= 86400.0"),
    "word that is none": ('watchers = "nobody"\n', "lab.toml:1: watchers: 'nobody' is none of domain, self"),
    "listener without a port": ('listen = ["udp:127.0.0.1"]\n', "lab.toml:1: listen: '127.0.0.1' has no port"),
    "listener with a bad port": ('listen = ["udp:127.0.0.1:99999"]\n', "lab.toml:1: listen: '127.0.0.1:99999': the port is not"),
    "listener on a name": ('listen = ["udp:pbx.example.com:5060"]\n', "lab.toml:1: listen: 'pbx.example.com' is not an IP address"),
    "listener of no transport": ('listen = ["sctp:127.0.0.1:5060"]\n', "lab.toml:1: listen: 'sctp:127.0.0.1:5060': the transport"),
    "listener without certificate": ('listen = ["wss:127.0.0.1:5061"]\n', "lab.toml:1: listen: wss:127.0.0.1:5061 needs a certif"),
    "authorities alone": ('tls_ca = "lab.toml"\n', "lab.toml:1: tls_ca: without tls_cert it means nothing"),
    "listener twice": ('\nlisten = ["udp:127.0.0.1:5061", "udp:127.0.0.1:5061"]\n', "lab.toml:2: listen: udp:127.0.0.1:5061 stands"),
    "no listener": ("listen = []\n", "lab.toml:1: listen: at least one listener is needed"),
    "bad http address": ('http = "localhost"\n', "lab.toml:1: http: 'localhost' has no port"),
    "bad domain": ('domain = "-"\n', "lab.toml:1: domain: '-' is not a host name"),
    "bad alias": ('aliases = ["a b"]\n', "lab.toml:1: aliases: 'a b' is not a host name"),
    "unknown method": ('[challenge]\nBYE = "407"\nBYTE = "407"\n', "lab.toml:3: challenge.BYTE: unknown method 'BYTE'; the nearest"),
    "impossible challenge": ('challenge.ACK = "407"\n', "lab.toml:1: challenge.ACK: ACK is never challenged"),
    "unknown algorithm": ('digest_algorithms = ["SHA-1"]\n', "lab.toml:1: digest_algorithms: unknown algorithm 'SHA-1'; the nearest"),
    "unknown algorithm of a user": ('[user_digest_algorithms]\n6001 = ["X"]\n', "lab.toml:2: user_digest_algorithms.6001: unknown"),
    "conflict": (
        "registration_expires_max = 600\nregistration_expires_default = 900\n",
        "lab.toml:2: registration_expires_default: registration_expires_default (900) is not between registration_expires_min (60)",
    ),
    "conflict with a default": (
        "registration_expires_min = 7200\n", "lab.toml:1: registration_expires_min: registration_expires_default (3600) is not between"
    ),
    "endless heartbeat": ("link_heartbeat = inf\n", "lab.toml:1: link_heartbeat: expected float <= 86400.0"),
    "two links at one listener": (
        'links = [\n  "a=udp:127.0.0.1:5070=127.0.0.1:5071",\n  "b=udp:127.0.0.1:5070=127.0.0.1:5072",\n]\n',
        "lab.toml:1: links: udp:127.0.0.1:5070 stands there twice",
    ),
    "a wildcard over a link": (
        'links = ["a=udp:127.0.0.1:5060=127.0.0.1:5071"]\n', "lab.toml:1: links: udp:127.0.0.1:5060 overlaps with udp:0.0.0.0:5060"
    ),
    "broken text": ('domain = "example.com"\nlisten = [\n', "lab.toml:"),
    "key twice": ("trace = 1\ntrace = 2\n", "lab.toml:2: Cannot overwrite a value"),
    "no TOML at all": ("<xml/>\n", "lab.toml:1: Invalid statement"),
    "control character": ('domain = "\x01"\n', "lab.toml:1: "),
}  # fmt: skip


@pytest.mark.parametrize("kind", FILES)
def test_a_bad_file(call, kind):
    text, place = FILES[kind]
    Path("lab.toml").write_text(text)
    line = one_line(call("run", "--config", "lab.toml"), place)
    assert one_line(call("config", "check", "--config", "lab.toml"), place) == line


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('tls_cert = "missing.pem"\n', "lab.toml:1: tls_cert: missing.pem: No such file or directory"),
        ('trace = 0\ntls_cert = "lab.toml"\n', "lab.toml:2: tls_cert: lab.toml: no certificate in PEM"),
    ],
)
def test_certificates_are_looked_at(call, text, place):
    Path("lab.toml").write_text(text)
    one_line(call("config", "check", "--config", "lab.toml"), place)


def test_files_that_cannot_be_read(call):
    Path("latin.toml").write_bytes(b'domain = "\xe9"\n')
    Path("folder.toml").mkdir()
    for name, place in {
        "missing.toml": "missing.toml: No such file or directory",
        "folder.toml": "folder.toml: Is a directory",
        "latin.toml": "latin.toml: not UTF-8 text",
        "latin.toml/x": "latin.toml/x: Not a directory",
    }.items():
        for command in (("run",), ("config", "check"), ("config", "show"), ("user", "list")):
            one_line(call(*command, "--config", name), place)


def test_a_file_that_the_environment_names(call, monkeypatch):
    Path("lab.toml").write_text("trase = 5\n")
    monkeypatch.setenv("B2BUA_CONFIG", "lab.toml")
    one_line(call("run"), "lab.toml:1: unknown key 'trase'")
    one_line(call("config", "check"), "lab.toml:1: unknown key 'trase'")


# ---- in the environment

VARIABLES = {
    "B2BUA_TRASE": ("5", "environment: unknown B2BUA_TRASE; the nearest known variable is B2BUA_TRACE"),
    "B2BUA_TRACE": ("many", "B2BUA_TRACE: expected int, got str"),
    "B2BUA_TRACE_SECRETS": ("maybe", "B2BUA_TRACE_SECRETS: expected bool, got str"),
    "B2BUA_NONCE_LIFETIME": ("-1", "B2BUA_NONCE_LIFETIME: expected float > 0.0"),
    "B2BUA_LISTEN": ("udp:127.0.0.1:5060,udp:x", "B2BUA_LISTEN: 'x' has no port"),
    "B2BUA_HTTP": ("8080", "B2BUA_HTTP: '8080' has no port"),
    "B2BUA_CHALLENGE": ("BYE", "B2BUA_CHALLENGE: 'BYE' is not NAME=VALUE"),
    "B2BUA_DIGEST_ALGORITHMS": ("SHA256", "B2BUA_DIGEST_ALGORITHMS: unknown algorithm 'SHA256'; the nearest known algorithm is 'SHA-256'"),
    "B2BUA_USER_DIGEST_ALGORITHMS": ("6001=MD5+X", "B2BUA_USER_DIGEST_ALGORITHMS: 6001: unknown algorithm 'X'"),
    "B2BUA_REGISTRATION_EXPIRES_DEFAULT": ("5", "B2BUA_REGISTRATION_EXPIRES_DEFAULT: registration_expires_default (5) is not between"),
    "B2BUA_USERS": ("nowhere.csv", "B2BUA_USERS: nowhere.csv: No such file or directory"),
}  # fmt: skip


@pytest.mark.parametrize("name", VARIABLES)
def test_a_bad_variable(call, monkeypatch, name):
    value, place = VARIABLES[name]
    monkeypatch.setenv(name, value)
    if name != "B2BUA_USERS":  # which is read at the start
        one_line(call("run"), place)
    one_line(call("config", "check"), place)


# ---- on the command line

OPTIONS = {
    "unknown option": (["--lisen", "udp:127.0.0.1:5060"], "No such option"),
    "option without a value": (["--listen"], "Option '--listen' requires an argument"),
    "argument too many": (["now"], "Got unexpected extra argument"),
    "bad listener": (["--listen", "udp:127.0.0.1"], "--listen: '127.0.0.1' has no port"),
    "listener without certificate": (["--listen", "wss:127.0.0.1:1"], "--listen: wss:127.0.0.1:1 needs a certificate"),
    "listener twice": (["--listen", "udp:[::1]:5060", "--listen", "udp:[::1]:5060"], "--listen: udp:[::1]:5060 stands there twice"),
    "bad number": (["--trace", "-1"], "--trace: expected int >= 0"),
    "bad word": (["--challenge-reinvite", "sometimes"], "--challenge-reinvite: 'sometimes' is none of always"),
    "bad domain": (["--domain", "a b"], "--domain: 'a b' is not a host name"),
    "empty path": (["--users", ""], "--users: an empty path"),
}


@pytest.mark.parametrize("kind", OPTIONS)
def test_a_bad_option(call, kind):
    arguments, place = OPTIONS[kind]
    one_line(call("run", *arguments), place)


@pytest.mark.parametrize(
    ("arguments", "place"),
    [
        (["rum"], "No such command 'rum'"), (["--colour"], "No such option"), (["config", "chek"], "No such command 'chek'"),
        (["user", "add"], "Missing argument 'NAME'"), (["user", "export"], "Missing argument 'FILE'"),
    ],
)  # fmt: skip
def test_a_bad_command(call, arguments, place):
    one_line(call(*arguments), place)


def test_the_nearest_option_is_named(call):
    assert "--listen" in one_line(call("run", "--lisen", "x"), "No such option")
    assert "run" in one_line(call("rum"), "No such command").removeprefix("No such command 'rum'")


# ---- what a look at files and features finds


def database(path, statement):
    with sqlite3.connect(path) as connection:
        connection.execute(statement)


def contents():
    """What stands in every file here."""
    return {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}


LOOKS = {
    "missing users file": ('users = "nowhere.csv"\n', "lab.toml:1: users: nowhere.csv: No such file or directory"),
    "bad line in the users file": ('users = "users.csv"\n', "lab.toml:1: users: users.csv:2: not a line user,password"),
    "htdigest of another realm": ('domain = "example.com"\nusers = "realm.htdigest"\n', "lab.toml:2: users: realm.htdigest:1: user 6001 is of the realm"),
    "htdigest cannot do SHA": (
        'domain = "example.org"\nusers = "realm.htdigest"\ndigest_algorithms = ["SHA-256"]\n', "lab.toml:2: users: realm.htdigest:1: user 6001 needs"
    ),
    "HA1 missing": ('\ndigest_algorithms = ["SHA-256"]\n', "lab.toml:2: digest_algorithms: user 6001 has no HA1 by SHA-256;"),
    "feature not found": ('features = ["hold", "hodl"]\n', "lab.toml:1: features: feature 'hodl' not found"),
    "feature that is broken": (
        'feature_directory = "mine"\nfeatures = ["broken"]\n', "lab.toml:2: features: feature 'broken': mine/broken.py: SyntaxError"
    ),
    "a code of no feature": ('[feature_codes]\nhold = "*1"\n', "lab.toml:1: feature_codes: hold: no feature in use has a code"),
    "a default of no feature": ('[user_defaults]\nhold = "1"\n', "lab.toml:1: user_defaults: unknown setting 'hold'"),
    "no such directory": ('feature_directory = "nowhere"\n', "lab.toml:1: feature_directory: nowhere: not a directory"),
    "no such feature server": ('feature_server = "nobody"\n', "lab.toml:1: feature_server: feature server 'nobody': no module"),
    "store of another program": ('store = "sqlite:other.db"\n', "other.db: a database of another program"),
    "store that is no database": ('store = "sqlite:users.csv"\n', "users.csv: file is not a database"),
    "store not supported": ('store = "redis://:hunter2@h"\n', "lab.toml:1: store: redis://h is not supported; supported: memory:, sqlite:PATH"),
    "store without a path": ('store = "sqlite:"\n', "lab.toml:1: store: 'sqlite:' names no file; write sqlite:PATH"),
}  # fmt: skip


@pytest.mark.parametrize("kind", LOOKS)
def test_what_a_look_finds(call, monkeypatch, kind):
    text, place = LOOKS[kind]
    Path("users.csv").write_text("6001,hunter2\nnonsense\n" + "padding so that it has the length of a header\n" * 100)
    Path("realm.htdigest").write_text(f"6001:example.org:{'0' * 32}\n")
    Path("mine").mkdir()
    Path("mine/broken.py").write_text("def (\n")
    database("other.db", "CREATE TABLE things (name TEXT)")
    monkeypatch.setattr("sys.stdin", io.StringIO("secret\n"))
    assert call("user", "add", "6001")[0] == 0
    Path("lab.toml").write_text(text)
    before = contents()
    assert "hunter2" not in one_line(call("config", "check", "--config", "lab.toml"), place)
    assert contents() == before


def test_an_algorithm_that_openssl_does_not_have(call, monkeypatch):
    monkeypatch.setattr("b2bua.config.settings.missing", lambda names: tuple(name for name in names if name == "SHA-512-256"))
    monkeypatch.setenv("B2BUA_DIGEST_ALGORITHMS", "MD5,SHA-512-256")
    monkeypatch.setenv("B2BUA_STORE", "memory:")
    one_line(call("run"), "B2BUA_DIGEST_ALGORITHMS: SHA-512-256 is not in this Python's OpenSSL")
    one_line(call("config", "check"), "B2BUA_DIGEST_ALGORITHMS: SHA-512-256 is not in this Python's OpenSSL")


# ---- all of them at once


def test_check_prints_all_that_is_wrong(call, monkeypatch):
    Path("lab.toml").write_text(
        'trase = 5\ndomain = "a b"\nlisten = ["wss:127.0.0.1:1", "udp:127.0.0.1:2", "udp:127.0.0.1:2"]\n'
        'features = ["nothing"]\nstore = "redis:"\n[challenge]\nACK = "407"\nBYE = 407\n'
    )
    monkeypatch.setenv("B2BUA_WATCHERS", "all")
    monkeypatch.setenv("B2BUA_TRACES", "1")
    status, output, errors = call("config", "check", "--config", "lab.toml")
    assert (status, output) == (2, "")
    expected = [
        "lab.toml:1: unknown key 'trase'",
        "lab.toml:7: challenge.ACK: ACK is never challenged",
        "lab.toml:8: challenge.BYE: 407 is none of 401, 407, none (as text)",
        "environment: unknown B2BUA_TRACES",
        "lab.toml:2: domain: 'a b' is not a host name",
        "B2BUA_WATCHERS: 'all' is none of domain, self",
        "lab.toml:4: features: feature 'nothing' not found",
        "lab.toml:3: listen: wss:127.0.0.1:1 needs a certificate: tls_cert is not set",
        "lab.toml:3: listen: udp:127.0.0.1:2 stands there twice",
    ]
    lines = errors.splitlines()
    assert [line.startswith(f"b2bua: {start}") for line, start in zip(lines, expected, strict=True)] == [True] * len(expected)
    one_line(call("run", "--config", "lab.toml"), expected[0])


def test_a_wrong_value_is_not_reported_a_second_time_through_its_default(call):
    Path("lab.toml").write_text('registration_expires_max = "long"\nregistration_expires_default = 7200\n')
    one_line(call("config", "check", "--config", "lab.toml"), "lab.toml:1: registration_expires_max: expected int, got str")


def test_an_error_has_all_problems_and_reads_as_the_first():
    error = ConfigError("one", "two")
    assert (str(error), error.problems) == ("one", ("one", "two"))
