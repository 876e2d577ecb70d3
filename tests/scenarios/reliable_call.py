"""Calls whose provisional responses are reliable (RFC 3262): what phones say about them."""

from __future__ import annotations

from b2bua.sip.message import Message
from tests.scenarios.scene import Scene, invite
from tests.scenarios.script_call import ScriptCall

SUPPORTED = "Supported: 100rel"
REQUIRED = "Require: 100rel"
ALLOW = "Allow: INVITE, ACK, BYE, CANCEL, PRACK, UPDATE"
RSEQ = 700


def early(
    scene: Scene, *lines: str, body: str | None = None, callee_lines: tuple[str, ...] = (ALLOW,)
) -> tuple[ScriptCall, ScriptCall, Message]:
    """A call from 6001 whose INVITE has these lines (`Supported: 100rel` and Allow where there are none), up to the callee."""
    return invite(scene.phone("6001"), scene.phone("6002"), body, *(lines or (SUPPORTED, ALLOW)))


def reliably(call: ScriptCall, arrived: Message, status: int, rseq: int = RSEQ, body: str = "", *lines: str) -> None:
    """The callee's phone sends a reliable response."""
    call.phone >> call.answer(arrived, status, body, REQUIRED, f"RSeq: {rseq}", ALLOW, *lines)


def rack(response: Message) -> str:
    return f"RAck: {response.get('RSeq')} {response.cseq} INVITE"


def prack(call: ScriptCall, response: Message, body: str = "", *lines: str) -> None:
    """The caller's phone acknowledges a reliable response."""
    assert response.tokens("Require") == {"100rel"}, response
    if not call.remote_tag:
        call.learn(response)
    call.phone >> call.request("PRACK", body, rack(response), *lines)


def acknowledged(call: ScriptCall, response: str = "", body: str = "") -> Message:
    """A PRACK at the callee's phone, answered with 200."""
    arrived = call.phone << f"PRACK {response}".strip()
    call.phone >> call.answer(arrived, 200, body)
    return arrived


def in_early_media(scene: Scene, *lines: str) -> tuple[ScriptCall, ScriptCall, Message]:
    """A call with a session that both agreed to, and no answer to the INVITE yet."""
    a, b, arrived = early(scene, *lines)
    reliably(b, arrived, 183, RSEQ, b.sdp())
    progress = a.phone << "183 INVITE a=sendrecv"
    prack(a, progress)
    a.phone << "200 PRACK no-body"
    acknowledged(b)
    return a, b, arrived


def picked_up(a: ScriptCall, b: ScriptCall, arrived: Message, body: str = "") -> Message:
    """200 of the callee, which needs no description any more, and both ACKs."""
    b.phone >> b.answer(arrived, 200, body)
    b.phone << "ACK"
    answer = a.phone << "200 INVITE"
    a.learn(answer)
    a.phone >> a.request("ACK", cseq=answer.cseq)
    return answer
