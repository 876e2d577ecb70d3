"""PJSIP with and without reliable provisional responses (RFC 3262): each leg has what its phone can do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.interop.phones import Phones
from tests.interop.pjsip import Pjsip
from tests.interop.server import Hop, Server, wait_until

HOST = "127.0.0.65"
LISTEN = (f"tcp:{HOST}",)

MakePhone = Callable[[str, str], Pjsip]
"""Role (`caller`, `callee`) and how it does it → phone."""
MakeTwins = Callable[[str], tuple[Pjsip, Pjsip]]
"""How they do it → two phones of one user."""

@pytest.fixture(scope="module")
def phones(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Phones]:
    with ExitStack() as stack:
        yield Phones(server, tmp_path_factory.mktemp("reliable"), HOST, stack)


@pytest.fixture(scope="module")
def phone(phones: Phones) -> MakePhone:
    """Each is made once."""
    made: dict[tuple[str, str], Pjsip] = {}

    def get(role: str, reliable: str) -> Pjsip:
        if (role, reliable) not in made:
            made[role, reliable] = phones.new_pjsip("udp", reliable=reliable)
        return made[role, reliable]

    return get


@pytest.fixture(scope="module")
def twins(server: Server, phones: Phones) -> MakeTwins:
    """Each pair is made once."""
    made: dict[str, tuple[Pjsip, Pjsip]] = {}

    def get(reliable: str) -> tuple[Pjsip, Pjsip]:
        if reliable not in made:
            user = server.next_user()
            made[reliable] = (
                phones.new_pjsip("udp", user=user, reliable=reliable),
                phones.new_pjsip("tcp", user=user, reliable=reliable),
            )
        return made[reliable]

    return get


def pracks(hops: list[Hop], source: str, destination: str) -> int:
    """How many PRACKs were answered with 200 on this way."""
    asked = [hop for hop in hops if hop.way == (source, destination) and hop.message.method == "PRACK" and not hop.retransmission]
    answered = [
        hop for hop in hops
        if hop.way == (destination, source) and hop.message.status == 200 and hop.message.cseq_method == "PRACK"
    ]  # fmt: skip
    assert len(asked) <= len(answered)
    return len(asked)


@pytest.mark.parametrize(
    ("calling", "called", "near", "far"),
    [
        ("none", "none", 0, 0),
        ("mandatory", "mandatory", 2, 2),
        ("mandatory", "none", 2, 0),
        ("optional", "mandatory", 2, 2),
        ("none", "mandatory", 2, 2),  # as a caller PJSIP says in any case that it knows it
    ],
)
def test_call(server: Server, phone: MakePhone, calling: str, called: str, near: int, far: int) -> None:
    """Ringing and early media, answer, a hold, the end; `near` and `far`: PRACKs on the caller's and the callee's leg."""
    caller, callee = phone("caller", calling), phone("callee", called)
    caller.dial(callee.user)
    callee.state("early")
    caller.becomes("rings", lambda call: call.status == 180)
    callee.command("answer", status=183)
    caller.becomes("early media", lambda call: call.status == 183 and bool(call.media))
    callee.command("answer")
    caller.state("confirmed")
    callee.state("confirmed")
    for one in (caller, callee):
        one.hears()
    caller.command("hold")
    callee.media("remote hold")
    callee.command("hangup")
    caller.state("disconnected")
    hops = server.hops(f"call-id={caller.call.call_id}")
    assert pracks(hops, caller.user, "SM") == pracks(hops, "SM", "CM") == near
    assert pracks(hops, "SM", callee.user) == pracks(hops, "CM", "SM") == far


def test_a_caller_that_does_not_know_it_and_a_callee_that_insists(server: Server, phones: Phones, phone: MakePhone) -> None:
    """baresip calls PJSIP: 421, the INVITE once more, and our own PRACKs; the caller has its answer all the same."""
    caller, callee = phones.baresip("udp"), phone("callee", "mandatory")
    caller.dial(callee.user)
    callee.state("early")
    callee.command("answer", status=183)
    callee.command("answer")
    callee.state("confirmed")
    caller.expect("CALL_ESTABLISHED")
    callee.hears()
    call_id = callee.call.call_id
    callee.command("hangup")
    caller.expect("CALL_CLOSED")
    hops = server.hops(f"call-id={call_id}")
    assert [hop.message.status for hop in hops if hop.way == (callee.user, "SM")].count(421) == 1
    assert pracks(hops, "SM", callee.user) == pracks(hops, "CM", "SM") == 2
    assert pracks(hops, caller.user, "SM") == 0
    assert 421 not in [hop.message.status for hop in hops if hop.destination == caller.user]


def early_dialogs(server: Server, user: str, call_id: str) -> set[str]:
    """The To tags of the 183s that came to this phone."""
    hops = server.hops(f"call-id={call_id}")
    return {hop.message.to_tag for hop in hops if hop.way == ("SM", user) and hop.message.status == 183}


@pytest.mark.parametrize("reliable", ["none", "mandatory"])
@pytest.mark.parametrize("first", [True, False], ids=["the first answers", "the second answers"])
def test_early_media_of_two_phones(server: Server, phones: Phones, twins: MakeTwins, reliable: str, first: bool) -> None:
    """Two early dialogs; media comes from the phone that answers, whichever it is."""
    caller, pair = phones.pjsip("udp"), twins(reliable)
    winner, loser = pair if first else pair[::-1]
    caller.dial(winner.user)
    for one in pair:
        one.state("early")
        one.command("answer", status=183)
    call_id = caller.call.call_id
    wait_until("early media of both", lambda: len(early_dialogs(server, caller.user, call_id)) == 2)
    winner.command("answer")
    caller.state("confirmed")
    winner.state("confirmed")
    loser.state("disconnected")
    for one in (caller, winner):
        one.hears()
    caller.command("hold")
    winner.media("remote hold")
    caller.command("hangup")
    winner.state("disconnected")
    answers = [hop.message for hop in server.hops(f"call-id={call_id}") if hop.way == ("SM", caller.user)]
    taken = {message.to_tag for message in answers if message.status == 200 and message.cseq_method == "INVITE"}
    assert len(taken & early_dialogs(server, caller.user, call_id)) == 1
