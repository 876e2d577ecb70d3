"""Random walks through calls that are not answered yet: whatever phones do, nothing breaks and nothing is left behind."""

from __future__ import annotations

from random import Random

import pytest

from b2bua.sip.message import Message, Request, Response
from tests.scenarios.reliable_call import ALLOW, REQUIRED, SUPPORTED, rack
from tests.scenarios.scene import LONGEST, MakeScene, Scene, called
from tests.scenarios.script_call import ScriptCall

STEPS = 14
SEEDS = range(40)


class Walk:
    """A caller and a callee of one or two branches, each doing what comes to its mind."""

    def __init__(self, scene: Scene, random: Random) -> None:
        self.scene = scene
        self.random = random
        self.alice, self.bob = scene.phone("6001"), scene.phone("6002")
        lines = random.choice([(SUPPORTED, ALLOW), (REQUIRED, ALLOW), (ALLOW,), (SUPPORTED,)])
        self.a = called(self.alice, self.bob.aor, *lines, body=random.choice([None, None, ""]))
        self.invite = self.bob << "INVITE"
        self.cseq = self.a.cseq
        self.branches = [ScriptCall.of(self.bob, self.invite) for _ in range(2)]
        self.rseqs = [random.randrange(1, 100), random.randrange(1, 100)]
        for number, branch in enumerate(self.branches):
            branch.tag = f"branch{number}"
        self.halves: dict[str, ScriptCall] = {}
        """The caller's early dialogs by To tag."""
        self.reliable: list[Response] = []
        """What the caller got reliably."""
        self.answered = self.ended = False

    # -- what the phones do by themselves ----------------------------------------------------------------------

    def settle(self) -> None:
        while self.alice.inbox or self.bob.inbox:
            for phone in (self.alice, self.bob):
                while phone.inbox:
                    message = phone.inbox.popleft()
                    if isinstance(message, Request):
                        self.asked(message, self.alice if phone is self.alice else self.bob)
                    elif phone is self.alice and isinstance(message, Response) and message.cseq_method == "INVITE":
                        self.told(message)

    def told(self, response: Response) -> None:
        if response.status > 100 and response.to.tag and response.status < 300 and response.to.tag not in self.halves:
            half = self.halves[response.to.tag] = ScriptCall(self.alice, self.bob.aor, self.a.call_id, self.a.tag)
            half.cseq = self.cseq
            half.learn(response)
        if response.status >= 300:
            self.alice >> self.a.ack(response)
            self.ended = True
        elif response.status >= 200:
            half = self.halves[response.to.tag]
            self.alice >> half.request("ACK", half.sdp() if response.body else "", cseq=response.cseq)
        elif response.has("RSeq"):
            self.reliable.append(response)

    def asked(self, request: Request, phone: object) -> None:
        if request.method == "ACK":
            return
        call = self.a if phone is self.alice else self.branches[0]
        status = 200 if request.method in ("BYE", "CANCEL") else self.random.choice([200, 200, 200, 488, 500, 0])
        if status:
            body = call.sdp() if request.body and status == 200 else ""
            call.phone >> call.answer(request, status, body, f"Contact: {call.phone.contact}")
        if request.method == "CANCEL" and not self.answered:
            self.answered = True
            self.bob >> self.branches[0].answer(self.invite, 487)

    # -- what comes to their minds -----------------------------------------------------------------------------

    def rings(self) -> None:
        number = self.random.randrange(2)
        branch, body = self.branches[number], self.random.choice(["", self.branches[number].sdp()])
        if self.answered:
            return
        lines = [ALLOW]
        if self.random.random() < 0.7:
            lines += [REQUIRED, f"RSeq: {self.rseqs[number]}"]
            self.rseqs[number] += self.random.choice([1, 1, 1, 0, 2])
        self.bob >> branch.answer(self.invite, self.random.choice([180, 183]), body, *lines)

    def acknowledges(self) -> None:
        if not self.reliable:
            return
        response = self.random.choice(self.reliable)
        half = self.halves[response.to.tag]
        body = self.random.choice(["", "", half.sdp(self.random.choice(["sendonly", "sendrecv"]))])
        self.alice >> half.request("PRACK", body, rack(response) if self.random.random() < 0.9 else "RAck: 1 1 INVITE")

    def updates(self) -> None:
        direction = self.random.choice(["sendonly", "sendrecv"])
        if self.random.random() < 0.5:
            branch = self.random.choice(self.branches)
            self.bob >> branch.request("UPDATE", self.random.choice(["", branch.sdp(direction)]), ALLOW)
        elif self.halves:
            half = self.random.choice(list(self.halves.values()))
            self.alice >> half.request("UPDATE", self.random.choice(["", half.sdp(direction)]), ALLOW)

    def waits(self) -> None:
        self.scene.advance(self.random.choice([0.1, 0.6, 3, 33]))

    def picks_up(self) -> None:
        if not self.answered:
            self.answered = True
            branch = self.random.choice(self.branches)
            self.bob >> branch.answer(self.invite, 200, self.random.choice(["", branch.sdp(), branch.sdp()]))

    def declines(self) -> None:
        if not self.answered:
            self.answered = True
            self.bob >> self.branches[0].answer(self.invite, self.random.choice([486, 603, 500]))

    def gives_up(self) -> None:
        self.alice >> self.a.cancel()

    def hangs_up(self) -> None:
        if self.random.random() < 0.5 and self.halves:
            self.alice >> self.random.choice(list(self.halves.values())).request("BYE")
        else:
            self.bob >> self.random.choice(self.branches).request("BYE")


VERBS = (
    [Walk.rings] * 6 + [Walk.acknowledges] * 6 + [Walk.updates] * 4 + [Walk.waits] * 2
    + [Walk.picks_up, Walk.declines, Walk.gives_up, Walk.hangs_up]
)  # fmt: skip


@pytest.mark.parametrize("seed", SEEDS)
def test_walk(make_scene: MakeScene, seed: int) -> None:
    random = Random(seed)
    scene = make_scene(reliable=random.choice(["as-caller", "always"]))
    walk = Walk(scene, random)
    for _ in range(STEPS):
        random.choice(VERBS)(walk)
        walk.settle()
    walk.picks_up()
    walk.settle()
    for half in walk.halves.values():
        walk.alice >> half.request("BYE")
    walk.settle()
    for _ in range(3):
        scene.advance(LONGEST)
        walk.settle()
    assert finals(walk) == 1


def finals(walk: Walk) -> int:
    """Different final responses to the caller's INVITE with credentials."""
    found: set[bytes] = set()
    for step in walk.scene.network.ladder:
        message: Message | None = step.message
        if step.destination != walk.alice.name or not isinstance(message, Response) or message.status < 200:
            continue
        if (message.cseq, message.cseq_method) == (walk.cseq, "INVITE"):
            found.add(message.encode())
    return len(found)
