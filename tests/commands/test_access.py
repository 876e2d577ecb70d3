"""`b2bua console-user` and `b2bua token`, and the token that a command shows to a server."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import click
import pytest

from b2bua.cli import main
from b2bua.commands.token import OWNER_TOKEN, VARIABLE, token_for, token_reader
from b2bua.config.sources import load_settings
from b2bua.http.passwords import is_right
from b2bua.store.console_user_record import CONSOLE_USER, CONSOLE_USER_VERSION, ConsoleUserRecord
from b2bua.store.opening import open_store
from b2bua.store.record_text import decode_record
from b2bua.store.token_record import TOKEN, TOKEN_VERSION, TokenRecord, token_hash

PASSWORD = "a-long-password"
DATABASE = Path("var/b2bua.db")


@pytest.fixture(autouse=True)
def alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("B2BUA_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def call(capsys, monkeypatch):
    def run(*arguments, stdin=""):
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        return caught.value.code, *capsys.readouterr()

    return run


def records(kind, realm="lab.internal"):
    store = open_store(f"sqlite:{DATABASE}", realm, lambda function, *arguments: function(*arguments))
    try:
        return dict(store.records(kind))
    finally:
        store.close()


def test_a_user_of_the_console_is_added_changed_listed_and_removed(call):
    assert call("console-user", "add", "rita", stdin=f"{PASSWORD}\n") == (0, "console user rita added: read-only\n", "")
    changed = call("console-user", "add", "rita", "--role", "operator", stdin=f"{PASSWORD}\n")
    assert changed == (0, "console user rita changed: operator\n", "")
    record = decode_record(records(CONSOLE_USER)["rita"], ConsoleUserRecord, CONSOLE_USER_VERSION)
    assert record.role == "operator" and is_right(PASSWORD, record.hash)
    assert PASSWORD not in record.hash and DATABASE.stat().st_mode & 0o077 == 0
    assert call("console-user", "list") == (0, "rita operator\n", "")
    assert call("console-user", "remove", "rita") == (0, "console user rita removed\n", "")
    assert records(CONSOLE_USER) == {}


def test_a_token_is_printed_once_and_kept_as_a_hash(call):
    status, token, _ = call("token", "add", "grafana")
    assert status == 0 and len(token.strip()) == 43
    text = records(TOKEN)["grafana"]
    assert token.strip() not in text
    assert decode_record(text, TokenRecord, TOKEN_VERSION) == TokenRecord("grafana", "read-only", token_hash(token.strip()))
    assert call("token", "list")[1] == "grafana read-only\n"
    assert call("token", "add", "grafana", "--role", "operator")[1] != token
    assert call("token", "remove", "grafana")[1] == "token grafana removed\n"


def test_the_accounts_of_a_feature_server_are_its_own(call):
    assert call("token", "add", "desk", "--feature-server", "cm2")[0] == 0
    assert records(TOKEN) == {} and list(records(TOKEN, "lab.internal cm2")) == ["desk"]
    assert call("token", "list", "--feature-server", "cm2")[1] == "desk read-only\n"


@pytest.mark.parametrize(("words", "stdin", "line"), [
    (("console-user", "add", "rita"), "short\n", "console user rita: the password is too short: 8 characters at least"),
    (("console-user", "add", "a b"), f"{PASSWORD}\n", "'a b' is no name: letters, digits, and . _ @ -, 64 at most"),
    (("token", "add", ""), "", "'' is no name: letters, digits, and . _ @ -, 64 at most"),
    (("console-user", "add", "rita", "--store", "memory:"), f"{PASSWORD}\n", "store: memory: keeps no users; name a sqlite:PATH"),
    (("token", "list"), "", "store: var/b2bua.db: there is no such file; a server's first start makes it, or `b2bua user add`"),
])  # fmt: skip
def test_what_is_refused_is_one_line(call, words, stdin, line):
    assert call(*words, stdin=stdin) == (2, "", f"b2bua: {line}\n")


def test_who_is_not_there_cannot_be_removed(call):
    call("token", "add", "desk")
    assert call("token", "remove", "grafana") == (2, "", "b2bua: token grafana: there is none\n")
    assert call("console-user", "remove", "rita") == (2, "", "b2bua: console user rita: there is none\n")


def test_the_owners_token_goes_to_this_machine_only():
    OWNER_TOKEN.parent.mkdir()
    OWNER_TOKEN.write_text("of-the-owner\n")
    for url in ("http://127.0.0.1:8080", "http://localhost:1", "http://[::1]:8080", "http://127.0.0.64:80/x"):
        assert token_for(url) == token_reader()(url) == "of-the-owner"
    for url in ("http://192.0.2.1:8080", "http://pbx.example.com", "nonsense", "http://[::1"):
        assert token_for(url) == ""
    OWNER_TOKEN.write_text("another\n")  # the server has started again
    assert token_for("http://127.0.0.1:8080") == "another"


def test_without_a_token_none_is_sent():
    assert token_for("http://127.0.0.1:8080") == ""


def test_a_file_that_is_named_is_sent_anywhere_and_has_to_be_right(monkeypatch):
    monkeypatch.setenv(VARIABLE, "token")
    with pytest.raises(click.ClickException, match="token: No such file"):
        token_for("http://192.0.2.1:8080")
    for text in ("", "two words", "é", "a\x00b"):
        Path("token").write_text(text)
        with pytest.raises(click.ClickException, match="token: there is no token in it"):
            token_for("http://192.0.2.1:8080")
    Path("token").write_text("t-1\n")
    assert token_for("http://192.0.2.1:8080") == token_reader()("http://192.0.2.1:8080") == "t-1"


def test_the_variable_is_no_setting(monkeypatch):
    monkeypatch.setenv(VARIABLE, "token")
    load_settings(None, os.environ, {})
