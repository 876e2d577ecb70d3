"""A SIPp subscribes to a list (RFC 4662) as a console does, while two baresips talk, and over `kill -9`."""

from __future__ import annotations

from pathlib import Path

from b2bua.sip.dialog_info import parse_dialog_info
from tests.interop.baresip import Baresip
from tests.interop.lab import Lab
from tests.interop.script import Caller
from tests.interop.server import Server, wait_until
from tests.list_document import Listed, read_list

HOST = "127.0.0.104"
USERS = {"6001": "one", "6002": "two", "6003": "three", "6004": "four"}
WISH = ("Supported: eventlist", "Accept: application/dialog-info+xml, multipart/related, application/rlmi+xml")


def test_a_console_over_a_kill(tmp_path: Path) -> None:
    (tmp_path / "lab.toml").write_text('[lists]\npanel = ["6001", "6002", "6003"]\n')

    def started(**ports: int) -> Server:
        return Server(tmp_path, HOST, USERS, "sqlite:b2bua.db", options=("--config", "lab.toml"), **ports)

    server = started()
    (tmp_path / "lab").mkdir()
    lab = Lab(server, tmp_path / "lab")
    phones: list[Baresip] = []
    try:
        watch = lab.start(Caller("panel").subscribe(200, "dialog", *WISH).answer_notifies(), lab.phone("6004"))

        def documents() -> list[Listed]:
            return [
                read_list(message.get("Content-Type") or "", message.body.replace("\n", "\r\n").encode())
                for message in watch.received("NOTIFY")
            ]

        def lit() -> set[str]:
            found: dict[str, str] = {}
            for listed in documents():
                found = {} if listed.full else found
                found |= {uri[4:8]: parse_dialog_info(body).dialogs[0].state for uri, body in listed.documents.items()}
            return {user for user, state in found.items() if state == "confirmed"}

        wait_until("first document", lambda: bool(documents()))
        assert documents()[0].full and len(documents()[0].documents) == 3
        for user in ("6001", "6002"):
            phones.append(Baresip(tmp_path / user, server.address, user, USERS[user], HOST))
            phones[-1].registered()
        phones[0].dial("6002")
        phones[1].expect("CALL_INCOMING")
        phones[1].command("accept")
        wait_until("both talk", lambda: lit() == {"6001", "6002"})
        heard = len(documents())
        server.kill()
        server = started(port=server.port, http_port=server.http_port)
        wait_until("the whole list again", lambda: len(documents()) > heard and documents()[-1].full)
        assert lit() == {"6001", "6002"}
        phones[0].command("hangup")
        wait_until("nobody talks", lambda: lit() == set())
        versions = [listed.version for listed in documents()]
        assert versions == sorted(set(versions))
        server.check_healthy()
    finally:
        for phone in phones:
            phone.close()
        lab.close()
        server.kill()
