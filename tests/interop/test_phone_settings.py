"""The settings that the documents have for baresip, as they stand there: registered, called, held."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.interop.baresip import Baresip
from tests.interop.server import DOMAIN, Server, wait_until

HOST = "127.0.0.57"
ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = ("README.md", "deploy/phones.md")


def account(document: str) -> str:
    """The line of `accounts` in a document, with places for what belongs to this server."""
    lines = re.findall(r"^ *(<sip:6001@.*auth_pass=.*)$", (ROOT / document).read_text(encoding="utf-8"), re.MULTILINE)
    [line] = lines
    places = {"lab.internal": DOMAIN, "192.0.2.1:5060": "{server}", "6001": "{user}", "PASSWORD": "{password}"}
    for example, place in places.items():
        assert example in line
        line = line.replace(example, place)
    return f"{line}\n"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_baresip_registers_calls_and_holds(
    document: str, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.interop.baresip._ACCOUNT", account(document))
    phones: list[Baresip] = []
    try:
        for user in (server.next_user(), server.next_user()):
            folder = tmp_path / f"baresip-{user}"
            phones.append(Baresip(folder, server.address, user, server.users[user], HOST))
        caller, callee = phones
        for phone in phones:
            phone.registered()
        caller.command("dial", f"sip:{callee.user}@{DOMAIN}")
        callee.expect("CALL_INCOMING")
        callee.command("accept")
        caller.expect("CALL_ESTABLISHED")
        wait_until("talking", lambda: server.metric("b2bua_calls_active", state="confirmed") == 1)
        caller.command("hold")
        wait_until("held", lambda: server.metric("b2bua_calls_active", state="held") == 1)
        caller.command("resume")
        wait_until("resumed", lambda: server.metric("b2bua_calls_active", state="confirmed") == 1)
        caller.command("hangup")
        wait_until("over", lambda: server.metric("b2bua_calls_active") == 0)
    except BaseException:
        print(*(phone.said() for phone in phones), sep="\n")
        raise
    finally:
        for phone in phones:
            phone.close()
