"""Hold between two SIPp phones, their lamps watched by a third: on the wire, in the documents and in the trace."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.interop.lab import Lab
from tests.interop.nine_steps import nine_steps
from tests.interop.script import HOLD_REASON, Callee, Caller
from tests.interop.server import DOMAIN, Hop, Server, wait_until
from tests.interop.sipp import Phone, Sipp
from tests.interop.wire import Lamp, Message, check_schema, direction, lamp

HOST = "127.0.0.50"

APART = 1150
"""Milliseconds between two changes that a watcher is to hear apart: within a second they may fold (RFC 4235 §3.10)."""


@dataclass
class Watch:
    """One lamp: who looks at whose."""

    watcher: Phone
    watched: Phone
    run: Sipp

    def notifies(self) -> list[Message]:
        return self.run.received("NOTIFY")

    def lamps(self) -> list[Lamp]:
        return [lamp(message.body) for message in self.notifies()]


@dataclass
class Held:
    """A call that has ended, with everything that was heard of it."""

    holder: Phone
    far: Phone
    watcher: Phone
    holder_run: Sipp
    far_run: Sipp
    own: Watch
    """The holder's phone at its own lamp."""
    holders: Watch
    """The watcher at the holder's."""
    others: Watch
    """The watcher at the other party's."""
    hops: list[Hop]

    @property
    def watches(self) -> tuple[Watch, Watch, Watch]:
        return self.own, self.holders, self.others


def watch(lab: Lab, watcher: Phone, watched: Phone) -> Watch:
    """A subscription of one user at another's lamp, from a port of its own."""
    phone = lab.phone(watcher.user)
    run = lab.start(Caller(watched.user).subscribe().answer_notifies(), phone)
    wait_until("first NOTIFY", lambda: bool(run.received("NOTIFY")))
    return Watch(phone, watched, run)


class Standing:
    """A call under way, holder and watches included; several run side by side."""

    def __init__(self, lab: Lab, reason: str = "", by_callee: bool = False) -> None:
        self._lab = lab
        caller, callee, watcher = lab.phones(3)
        holder, far = (callee, caller) if by_callee else (caller, callee)
        self.holder, self.far, self.watcher = holder, far, watcher
        self._watches = watch(lab, holder, holder), watch(lab, watcher, holder), watch(lab, watcher, far)
        headers = [reason] if reason else []
        near = Caller(callee.user).pause(APART).dial()
        there = Callee().ring().pause(APART).accept()
        first, second = (there, near) if by_callee else (near, there)
        first.pause(APART).reinvite("sendonly", *headers).pause(APART).reinvite("sendrecv").pause(APART).bye()
        second.reinvited("sendonly", "recvonly").reinvited("sendrecv", "sendrecv").byed()
        self._far_run = lab.start(there, callee)
        self._near_run = lab.start(near, caller)
        self._by_callee = by_callee

    def ended(self) -> Held:
        self._near_run.finish()
        self._far_run.finish()
        for each in self._watches:
            wait_until("lamp out", lambda each=each: each.lamps()[-1].state == "terminated")  # type: ignore[misc]  # bound
        runs = (self._far_run, self._near_run) if self._by_callee else (self._near_run, self._far_run)
        call_id = self._near_run.messages()[0][1].call_id
        hops = self._lab.server.hops(f"call-id={call_id}")
        return Held(self.holder, self.far, self.watcher, *runs, *self._watches, hops)


@pytest.fixture(scope="module")
def held(server: Server, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Held]:
    """Three calls at once: hold without Reason, hold with Reason, and the callee's own hold."""
    lab = Lab(server, tmp_path_factory.mktemp("held"))
    try:
        standing = {
            "plain": Standing(lab),
            "reason": Standing(lab, HOLD_REASON),
            "callee": Standing(lab, by_callee=True),
        }
        return {name: call.ended() for name, call in standing.items()}
    except BaseException:
        print(lab.story())
        raise
    finally:
        lab.close()


@pytest.fixture(params=["plain", "reason", "callee"])
def call(request: pytest.FixtureRequest, held: dict[str, Held]) -> Held:
    return held[request.param]


def test_the_nine_steps(call: Held) -> None:
    nine_steps(call.hops, call.holder.user, call.far.user, [each.watcher.address for each in call.watches])


def test_the_reason_travels_and_is_not_needed(held: dict[str, Held]) -> None:
    said = HOLD_REASON.partition(": ")[2]
    assert held["reason"].far_run.received("INVITE")[1].get("Reason") == said
    assert held["plain"].far_run.received("INVITE")[1].get("Reason") == ""


def test_what_each_phone_sees(call: Held) -> None:
    """Hold is answered recvonly and resume sendrecv, on both sides; the far phone is never challenged."""
    answers = [
        message for message in call.holder_run.received(status=200) if message.cseq_method == "INVITE" and message.body
    ]
    assert [direction(message.body) for message in answers][-2:] == ["recvonly", "sendrecv"]
    offers = [message for message in call.far_run.received("INVITE") if message.body]
    assert [direction(message.body) for message in offers][-2:] == ["sendonly", "sendrecv"]
    was_called, _ = call.holder_run.messages()[0]
    assert len(call.holder_run.received(status=407)) == (2 if was_called else 3)
    was_called, _ = call.far_run.messages()[0]
    assert len(call.far_run.received(status=407)) == (0 if was_called else 1)


def test_lamp_of_the_holder(call: Held) -> None:
    """Idle, trying, early, confirmed, held, resumed, terminated: as the watcher sees it."""
    assert [(each.state, each.local) for each in call.holders.lamps()] == [
        ("terminated", ""),
        ("trying", ""),
        ("early", ""),
        ("confirmed", "yes"),
        ("confirmed", "no"),
        ("confirmed", "yes"),
        ("terminated", ""),
    ]


def test_lamp_of_the_held(call: Held) -> None:
    seen = [each.remote for each in call.others.lamps() if each.state == "confirmed"]
    assert seen == ["yes", "no", "yes"]
    assert "no" not in [each.local for each in call.others.lamps()]


def test_the_holders_own_phone_hears_its_lamp(call: Held) -> None:
    lamps = call.own.lamps()
    assert [each.local for each in lamps if each.state == "confirmed"] == ["yes", "no", "yes"]
    # Its own lamp tells it the dialog, as pickup and shared lines need it.
    (call_id,) = {message.call_id for _, message in call.holder_run.messages()}
    assert {each.call_id for each in lamps if each.state == "confirmed"} == {call_id}


def test_a_watcher_learns_no_call_id(call: Held) -> None:
    assert {each.call_id for watch in (call.holders, call.others) for each in watch.lamps()} == {""}


def test_versions_and_cseqs_of_notifies(call: Held) -> None:
    for each in call.watches:
        assert [one.version for one in each.lamps()] == list(range(len(each.lamps())))
        cseqs = [message.cseq for message in each.notifies()]
        assert cseqs == sorted(set(cseqs))
        assert {one.entity for one in each.lamps()} == {f"sip:{each.watched.user}@{DOMAIN}"}
        assert all(message.get("Subscription-State").startswith("active") for message in each.notifies())


def test_lamps_are_valid_documents(call: Held, tmp_path: Path) -> None:
    check_schema([message.body for each in call.watches for message in each.notifies()], tmp_path)
    published = [hop.message.body for hop in call.hops if hop.message.method == "PUBLISH" and hop.message.body]
    assert published
    check_schema(published, tmp_path)


def test_the_lamp_ends_with_its_publication(call: Held) -> None:
    """RFC 3903 §4.5: the last PUBLISH of each party is a removal, without a body."""
    for user in (call.holder.user, call.far.user):
        mine = [hop.message for hop in call.hops if hop.message.method == "PUBLISH" and f":{user}@" in hop.message.uri]
        assert mine[0].get("SIP-If-Match") == "" and all(message.get("SIP-If-Match") for message in mine[1:])
        assert mine[-1].get("Expires") == "0" and mine[-1].body == ""


def test_nothing_is_sent_twice(call: Held) -> None:
    assert [hop for hop in call.hops if hop.retransmission] == []


def test_ten_calls_a_second(lab: Lab) -> None:
    """Twenty calls with hold and resume at SIPp's own pace: none fails, none is left, and no step is taken twice."""
    def done() -> list[float]:
        return [lab.server.metric("b2bua_reinvites_total", kind=kind, result="ok") for kind in ("hold", "resume")]

    callers, callees = lab.phones(1), lab.phones(1)
    holds, resumes = done()
    far = lab.start(
        Callee().ring().accept().reinvited("sendonly", "recvonly").reinvited("sendrecv", "sendrecv").byed(),
        *callees,
        calls=20,
    )
    near = lab.start(
        Caller(callees[0].user).dial().pause(100).reinvite("sendonly").pause(100).reinvite("sendrecv").pause(100).bye(),
        *callers,
        calls=20,
    )
    assert (near.finish().ok, far.finish().ok) == (20, 20)
    assert done() == [holds + 20, resumes + 20]
    wait_until("no call left", lambda: lab.server.metric("b2bua_calls_active") == 0)
