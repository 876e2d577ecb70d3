"""Two baresip phones, real RTP between them, and a SIPp at the caller's lamp."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.interop.baresip import Baresip
from tests.interop.lab import Lab
from tests.interop.nine_steps import SM, nine_steps, rounds
from tests.interop.script import Caller
from tests.interop.server import Hop, Server, wait_until
from tests.interop.sipp import Sipp
from tests.interop.wire import direction, lamp

HOST = "127.0.0.52"

ROUNDS = 4


@dataclass
class Talk:
    """A call that has ended: four holds by the caller, two by the callee."""

    caller: str
    callee: str
    watcher: str
    watch: Sipp
    hops: list[Hop]


class Conversation:
    """The two phones and the trace of their call; each verb waits until it is done on both sides."""

    def __init__(self, lab: Lab, caller: Baresip, callee: Baresip) -> None:
        self._lab = lab
        self._caller = caller
        self._callee = callee
        self._exchanges = 0

    def hops(self) -> list[Hop]:
        return [hop for hop in self._lab.server.hops(f"user={self._caller.user}") if hop.call]

    def set_up(self) -> None:
        self._caller.dial(self._callee.user)
        self._callee.expect("CALL_INCOMING")
        self._callee.command("accept")
        self._caller.expect("CALL_ESTABLISHED")
        self._callee.expect("CALL_ESTABLISHED")
        self._exchange_done("call set up")

    def change(self, phone: Baresip, verb: str) -> None:
        """`hold` or `resume` by one phone, until both legs have their ACK."""
        phone.command(verb)
        self._exchange_done(f"{phone.user} {verb}")

    def hang_up(self) -> None:
        self._caller.command("hangup")
        self._callee.expect("CALL_CLOSED")
        wait_until("lamps out", lambda: [hop.message.get("Expires") for hop in self.hops()
                                         if hop.message.method == "PUBLISH"].count("0") == 2)  # fmt: skip

    def _exchange_done(self, what: str) -> None:
        """A 200 to an INVITE has reached whoever asked for it, and both legs' ACKs have passed."""
        self._exchanges += 1
        wait_until(what, lambda: self._acknowledged() == 2 * self._exchanges)

    def _acknowledged(self) -> int:
        hops = self.hops()
        agreed = {
            (hop.message.call_id, hop.message.cseq)
            for hop in hops
            if hop.message.status == 200 and hop.message.cseq_method == "INVITE"
        }
        done = {
            (hop.message.call_id, hop.message.cseq)
            for hop in hops
            if hop.message.method == "ACK" and "CM" not in hop.way
        }
        return len(agreed & done)


def shown(watch: Sipp) -> tuple[str, str]:
    """The renderings of the newest document."""
    newest = lamp(watch.received("NOTIFY")[-1].body)
    return newest.local, newest.remote


@pytest.fixture(scope="module")
def talk(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Talk]:
    lab = Lab(server, tmp_path_factory.mktemp("talk"))
    phones: list[Baresip] = []
    try:
        for _ in range(2):
            user = server.next_user()
            phones.append(Baresip(lab.directory / f"baresip-{user}", server.address, user, server.users[user], HOST))
        caller, callee = phones
        for phone in phones:
            phone.registered()
        (watcher,) = lab.phones(1)
        watch = lab.start(Caller(caller.user).subscribe().answer_notifies(), watcher)
        wait_until("first NOTIFY", lambda: bool(watch.received("NOTIFY")))
        conversation = Conversation(lab, caller, callee)
        conversation.set_up()
        # A second contact of the callee, registered only now: what belongs to the dialog must not fork to it.
        lab.register(lab.phone(callee.user))
        wait_until("RTP both ways", lambda: all(phone.hears() for phone in phones))
        wait_until("lamp on the phone", lambda: shown(watch) == ("yes", "yes"))
        for holder in (caller, callee):
            conversation.change(holder, "hold")
            wait_until("lamp on", lambda: "no" in shown(watch))
            conversation.change(holder, "resume")
            wait_until("lamp off", lambda: shown(watch) == ("yes", "yes"))
        for holder in (caller, caller, caller, callee):
            conversation.change(holder, "hold")
            conversation.change(holder, "resume")
        conversation.hang_up()
        wait_until("last NOTIFY", lambda: lamp(watch.received("NOTIFY")[-1].body).state == "terminated")
        yield Talk(caller.user, callee.user, watcher.user, watch, conversation.hops())
    except BaseException:
        print(lab.story(), *(phone.said() for phone in phones), sep="\n")
        raise
    finally:
        for phone in phones:
            phone.close()
        lab.close()


@pytest.mark.parametrize("number", range(ROUNDS))
def test_the_nine_steps_of_each_hold(talk: Talk, number: int) -> None:
    nine_steps(talk.hops, talk.caller, talk.callee, None if number else [talk.watcher], number)


@pytest.mark.parametrize("number", range(2))
def test_the_nine_steps_of_the_callees_hold(talk: Talk, number: int) -> None:
    nine_steps(talk.hops, talk.callee, talk.caller, None if number else [talk.watcher], number)


def test_old_nonces_are_answered_stale(talk: Talk) -> None:
    """baresip sends each re-INVITE with the call's old nonce; only `stale=true` makes it try again."""
    found = rounds(talk.hops, talk.caller, talk.callee) + rounds(talk.hops, talk.callee, talk.caller)
    assert len(found) == ROUNDS + 2
    for each in found:
        in_advance = bool(each.one(1).message.get("Proxy-Authorization"))
        stale = "stale=true" in each.one(2).message.get("Proxy-Authenticate")
        assert in_advance == stale
    callers = rounds(talk.hops, talk.caller, talk.callee)
    assert all("stale=true" in each.one(2).message.get("Proxy-Authenticate") for each in callers)


def test_directions_as_the_phones_hear_them(talk: Talk) -> None:
    answers = [
        direction(hop.message.body)
        for hop in talk.hops
        if hop.way == (SM, talk.caller) and hop.message.status == 200 and hop.message.cseq_method == "INVITE"
    ]
    assert answers == ["sendrecv", *["recvonly", "sendrecv"] * ROUNDS]


def test_the_watcher_sees_hold_and_resume(talk: Talk) -> None:
    """The caller's hold on the local side of its lamp, the callee's on the remote one; no version is left out."""
    lamps = [lamp(message.body) for message in talk.watch.received("NOTIFY")]
    assert [each.version for each in lamps] == list(range(len(lamps)))
    changes = [(each.local, each.remote) for each in lamps if each.state == "confirmed"]
    assert changes[:5] == [("yes", "yes"), ("no", ""), ("yes", "yes"), ("", "no"), ("yes", "yes")]


def test_registration_and_calls_left_nothing(talk: Talk, server: Server) -> None:
    assert server.metric("b2bua_calls_active") == 0
    assert server.metric("b2bua_contacts") >= 4
