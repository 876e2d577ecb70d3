"""Our credentials at a trunk: what is completed, what is remembered; tests/scenarios has them in calls."""

from __future__ import annotations

import pytest

from b2bua.dialog.credentials import Credentials
from b2bua.log.events import quiet
from b2bua.session_manager import trunk_credentials as module
from b2bua.session_manager.trunk_credentials import TrunkCredentials
from b2bua.sip.digest import challenge_text, parse_credentials
from b2bua.sip.message import Request
from b2bua.sip.proxy_answer import marked
from tests.transaction.neighbours import FakeFlow

ASKED = marked(challenge_text("example.net", "n1"), 1)


def ours() -> TrunkCredentials:
    return TrunkCredentials("carrier", "example.net", Credentials("pbx", "secret", lambda: "c"), quiet)


def request(*values: str, cseq: int = 1, method: str = "INVITE") -> Request:
    made = Request(method, "sip:0@example.net", [], [])
    made.append("Call-ID", "call-1")
    made.append("CSeq", f"{cseq} {method}")
    for value in values:
        made.append("Proxy-Authorization", value)
    return made


def test_what_is_marked_is_completed_and_the_rest_stays() -> None:
    others = 'Digest username="x", realm="example.org", nonce="n", uri="sip:0", response="0"'
    made = request(others, ASKED, marked(challenge_text("example.org", "n2"), 1))
    ours().complete(made, FakeFlow())
    first, second = made.get_all("Proxy-Authorization")  # of another realm's mark nothing is left
    assert first == others and parse_credentials(second).username == "pbx"


@pytest.mark.parametrize("value", [marked("Digest realm=", 1), marked(challenge_text("example.net", "n", algorithm="FOO"), 1)])
def test_what_cannot_be_answered_is_taken_out(value: str) -> None:
    made = request(value)
    ours().complete(made, FakeFlow())
    assert not made.has("Proxy-Authorization")


def test_it_is_used_where_calls_went_and_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    credentials = ours()
    there, elsewhere = FakeFlow(remote=("192.0.2.80", 5060)), FakeFlow(remote=("192.0.2.80", 5061))
    assert not credentials.used_on(there)
    credentials.complete(request(), there)
    assert credentials.used_on(there) and not credentials.used_on(elsewhere)
    monkeypatch.setattr(module, "MAX_ADDRESSES", 3)
    for number in range(10):
        credentials.complete(request(), FakeFlow(remote=("192.0.2.81", number)))
        assert credentials.used_on(FakeFlow(remote=("192.0.2.81", number))) and len(credentials._addresses) <= 3


def test_the_ack_has_what_its_invite_had(monkeypatch: pytest.MonkeyPatch) -> None:
    credentials = ours()
    invite = request(ASKED, cseq=7)
    credentials.complete(invite, FakeFlow())
    for _ in range(2):  # a 2xx that is repeated is acknowledged again
        ack = request(cseq=7, method="ACK")
        credentials.complete_ack(ack)
        assert ack.get_all("Proxy-Authorization") == invite.get_all("Proxy-Authorization")
    ack = request(cseq=8, method="ACK")
    credentials.complete_ack(ack)
    assert not ack.has("Proxy-Authorization")
    monkeypatch.setattr(module, "MAX_ANSWERS", 3)
    for cseq in range(8, 20):
        credentials.complete(request(ASKED, cseq=cseq), FakeFlow())
    assert len(credentials._answers) <= 3


def test_the_secret_is_in_no_text_of_it() -> None:
    credentials = ours()
    assert "secret" not in repr(credentials) + repr(vars(credentials) if hasattr(credentials, "__dict__") else "")
