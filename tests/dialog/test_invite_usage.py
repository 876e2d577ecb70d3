"""RFC 3261 §13, §14: 2xx until ACK, an ACK for each 2xx, forks, and who may send an INVITE now."""

from __future__ import annotations

import pytest

from b2bua.dialog.dialog import Dialog
from b2bua.dialog.invite_usage import InviteUsage
from b2bua.sip.errors import SipError
from b2bua.sip.message import Request, Response
from b2bua.sip.response_to import response_to
from b2bua.transaction.server import ServerTransaction
from tests.transaction.neighbours import Element, reply, request

OURS = "<sip:us@192.0.2.1>"
CONTACT = ("Contact", "<sip:6001@192.0.2.10>")


class Owner:
    """What the usage's owner is told, in words."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.responses: list[Response | None] = []

    def invite_progressed(self, response: Response) -> None:
        self.told.append(f"progressed {response.status}")

    def invite_accepted(self, response: Response) -> None:
        self.told.append(f"accepted {response.status}")

    def invite_refused(self, status: int, response: Response | None) -> None:
        self.told.append(f"refused {status}")
        self.responses.append(response)

    def acknowledged(self, ack: Request) -> None:
        self.told.append(f"acknowledged {ack.cseq}")

    def ack_missing(self) -> None:
        self.told.append("ack missing")


class Party(Element):
    """One side of a dialog."""

    def __init__(self, reliable: bool = False) -> None:
        super().__init__(reliable)
        self.owner = Owner()
        self.usage = InviteUsage(self.layer, self.flow, self.owner)

    @property
    def told(self) -> list[str]:
        told, self.owner.told = self.owner.told, []
        return told

    def watch(self, seconds: float) -> list[float]:
        """When something is sent, in seconds from now."""
        found, seen, start = [], len(self.flow.sent), self.clock.now()
        for _ in range(round(seconds / 0.05)):
            self.clock.pass_time(0.05)
            found += [round(self.clock.now() - start, 2)] * (len(self.flow.sent) - seen)
            seen = len(self.flow.sent)
        return found


class Caller(Party):
    """We sent the INVITE."""

    def __init__(self, reliable: bool = False) -> None:
        super().__init__(reliable)
        ours = request("INVITE", cseq=3, more=(("Contact", OURS),))
        ours.remove("Via")
        self.usage.dialog = Dialog.as_client(ours)
        self.usage.invite(ours)
        self.invite = self.flow.last_request()

    def answer(self, status: int, tag: str = "t", host: str = "192.0.2.20") -> None:
        response = reply(self.invite, status, tag)
        response.append("Contact", f"<sip:6002@{host}>")
        self.receive(response)

    def confirm(self) -> None:
        self.answer(200)
        dialog = self.usage.dialog
        assert dialog is not None
        response = reply(self.invite, 200)
        response.append("Contact", "<sip:6002@192.0.2.20>")
        dialog.establish(response)
        self.usage.acknowledge()


class Callee(Party):
    """An INVITE came in."""

    def __init__(self, reliable: bool = False) -> None:
        super().__init__(reliable)
        self.retry_after = 7
        self.core.on_request = self._taken
        self.receive(request("INVITE", cseq=3, more=(CONTACT,), transport="TCP" if reliable else "UDP"))
        self.usage.dialog = Dialog.as_server(self.core.requests[0][1], "t", OURS)

    def _taken(self, transaction: ServerTransaction, received: Request) -> None:
        if received.method == "INVITE":
            self.usage.invite_received(transaction, self.retry_after)

    def accept(self, status: int = 200) -> None:
        self.usage.respond(response_to(self.core.requests[-1][1], status, tag="t"))

    def ack(self, cseq: int = 3) -> bool:
        return self.usage.ack_received(request("ACK", cseq=cseq, to_tag="t", branch="z9hG4bKack"))

    def reinvite(self, cseq: int, branch: str) -> None:
        self.receive(request("INVITE", cseq=cseq, branch=branch, to_tag="t", more=(CONTACT,)))


# -- our 2xx (§13.3.1.4) ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reliable", [False, True])
def test_a_2xx_is_repeated_until_its_ack_never_came(reliable: bool) -> None:
    callee = Callee(reliable)
    callee.accept()
    assert callee.flow.statuses() == [200]
    assert callee.watch(31.95) == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert set(callee.flow.statuses()) == {200} and callee.told == []
    callee.clock.pass_time(0.1)
    assert callee.told == ["ack missing"]
    assert callee.watch(60) == []
    assert callee.clock.timers.running() == 0 and callee.layer.transactions() == (0, 0)


def test_every_repetition_is_the_same() -> None:
    callee = Callee()
    callee.accept()
    callee.clock.pass_time(8)
    assert len({message.encode() for message in callee.flow.sent}) == 1


def test_the_ack_ends_the_repetitions() -> None:
    callee = Callee()
    callee.accept()
    callee.clock.pass_time(2)
    assert callee.ack()
    assert callee.told == ["acknowledged 3"]
    assert callee.watch(60) == [] and callee.told == []


def test_only_the_first_ack_of_the_right_number_counts() -> None:
    callee = Callee()
    assert not callee.ack()
    callee.accept()
    assert not callee.ack(cseq=2)
    assert not callee.ack(cseq=4)
    assert callee.ack()
    assert not callee.ack()
    assert callee.told == ["acknowledged 3"]


def test_the_end_of_the_dialog_ends_the_repetitions() -> None:
    callee = Callee()
    callee.accept()
    callee.usage.end()
    assert callee.watch(60) == [] and callee.told == []


def test_unacknowledged_until_the_ack() -> None:
    callee = Callee()
    callee.accept()
    before = callee.usage.unacknowledged
    callee.ack()
    assert (before, callee.usage.unacknowledged) == (True, False)


def test_one_final_response() -> None:
    callee = Callee()
    callee.accept(180)
    callee.accept(200)
    callee.accept(486)
    assert callee.flow.statuses() == [180, 200]


def test_a_failure_is_repeated_by_its_transaction() -> None:
    callee = Callee()
    callee.accept(486)
    assert callee.watch(60) == []
    assert callee.flow.resent and callee.told == []


# -- another INVITE (§14.2) ---------------------------------------------------------------------------------------


def test_a_second_invite_before_the_first_is_answered() -> None:
    callee = Callee()
    callee.accept(180)
    callee.reinvite(4, "z9hG4bK2")
    response = callee.flow.last_response()
    assert (response.status, response.get("Retry-After")) == (500, "7")
    callee.usage.respond(response_to(callee.core.requests[0][1], 200, tag="t"))
    assert callee.flow.last_response().status == 200


def test_the_next_invite_after_the_answer() -> None:
    callee = Callee()
    callee.accept()
    callee.ack()
    callee.reinvite(4, "z9hG4bK2")
    callee.accept()
    assert callee.flow.last_response().cseq == 4
    assert not callee.ack(cseq=3)
    assert callee.ack(cseq=4)


def test_an_invite_while_ours_is_open_is_491() -> None:
    callee = Callee()
    callee.accept()
    callee.ack()
    dialog = callee.usage.dialog
    assert dialog is not None
    callee.usage.invite(dialog.make_request("INVITE"))
    callee.reinvite(4, "z9hG4bK2")
    assert callee.flow.last_response().status == 491
    callee.receive(reply(callee.flow.requests("INVITE")[0], 488))
    callee.reinvite(5, "z9hG4bK3")
    assert callee.flow.last_request().method == "ACK"  # the second one waits for its owner
    callee.accept()
    assert callee.flow.last_response().status == 200


def test_invite_received_says_so_by_sip_error() -> None:
    callee = Callee()
    transaction = callee.core.requests[0][0]
    with pytest.raises(SipError) as error:
        callee.usage.invite_received(transaction, 0)
    assert error.value.headers == (("Retry-After", "0"),)


# -- our INVITE ---------------------------------------------------------------------------------------------------


def test_progress_then_answer() -> None:
    caller = Caller()
    for status in (100, 180, 183, 200):
        caller.answer(status)
    assert caller.told == ["progressed 180", "progressed 183", "accepted 200"]
    assert caller.usage.client is None and caller.usage.owes_ack
    assert caller.flow.requests("ACK") == []


def test_the_ack() -> None:
    caller = Caller()
    caller.answer(200)
    dialog = caller.usage.dialog
    assert dialog is not None
    response = reply(caller.invite, 200)
    response.append("Contact", "<sip:6002@192.0.2.20>")
    response.append("Record-Route", "<sip:192.0.2.1;lr>")
    dialog.establish(response)
    caller.usage.acknowledge(b"v=0\r\n", "application/sdp", (("Subject", "x"),))
    [ack] = caller.flow.requests("ACK")
    assert (ack.uri, ack.cseq, ack.to.tag) == ("sip:6002@192.0.2.20", 3, "t")
    assert ack.elements("Route") == ["<sip:192.0.2.1;lr>"]
    assert (ack.body, ack.get("Content-Type"), ack.get("Content-Length")) == (b"v=0\r\n", "application/sdp", "5")
    assert (ack.get("Subject"), ack.get("Max-Forwards")) == ("x", "70")
    assert ack.top_via.branch != caller.invite.top_via.branch
    assert not caller.usage.owes_ack


def test_each_repeated_2xx_is_acknowledged_again() -> None:
    caller = Caller()
    caller.confirm()
    caller.told.clear()
    for _ in range(3):
        caller.answer(200)
    acks = caller.flow.requests("ACK")
    assert len(acks) == 4 and caller.told == []
    assert len({str(ack).partition("\r\nMax")[2] for ack in acks}) == 1
    assert len({ack.top_via.branch for ack in acks}) == 4


def test_a_2xx_repeated_before_we_know_the_ack_waits() -> None:
    caller = Caller()
    caller.answer(200)
    dialog = caller.usage.dialog
    assert dialog is not None
    dialog.establish(reply(caller.invite, 200))
    caller.answer(200)
    assert caller.told == ["accepted 200"] and caller.flow.requests("ACK") == []


def test_a_forked_2xx_is_acknowledged_and_ended() -> None:
    caller = Caller()
    caller.confirm()
    caller.answer(200, tag="fork", host="192.0.2.30")
    ack, bye = caller.flow.requests("ACK")[-1], caller.flow.requests("BYE")[0]
    assert (ack.uri, ack.to.tag, ack.cseq) == ("sip:6002@192.0.2.30", "fork", 3)
    assert (bye.uri, bye.to.tag, bye.cseq) == ("sip:6002@192.0.2.30", "fork", 4)
    assert caller.told == ["accepted 200"]
    dialog = caller.usage.dialog
    assert dialog is not None and dialog.remote_tag == "t" and dialog.remote_target == "sip:6002@192.0.2.20"
    caller.receive(reply(bye, 200))


def test_a_repeated_forked_2xx_brings_one_more_ack_and_no_second_bye() -> None:
    caller = Caller()
    caller.confirm()
    for _ in range(3):
        caller.answer(200, tag="fork", host="192.0.2.30")
    assert len([ack for ack in caller.flow.requests("ACK") if ack.to.tag == "fork"]) == 3
    assert len(caller.flow.requests("BYE")) == 1


@pytest.mark.parametrize("status", [302, 407, 486, 603])
def test_a_refusal(status: int) -> None:
    caller = Caller()
    caller.answer(status)
    assert caller.told == [f"refused {status}"]
    assert caller.owner.responses[0] is not None
    assert caller.usage.client is None


def test_no_answer_is_408() -> None:
    caller = Caller()
    caller.clock.pass_time(33)
    assert caller.told == ["refused 408"] and caller.owner.responses == [None]
    assert caller.usage.client is None


def test_a_broken_flow_is_503() -> None:
    caller = Caller(reliable=True)
    caller.layer.flow_failed(caller.flow)
    assert caller.told == ["refused 503"]


def test_cancel() -> None:
    caller = Caller()
    caller.usage.cancel(("Reason", "SIP;cause=200"))
    assert caller.flow.requests("CANCEL") == []
    caller.answer(180)
    assert [cancel.get("Reason") for cancel in caller.flow.requests("CANCEL")] == ["SIP;cause=200"]
    caller.answer(487)
    assert caller.told == ["progressed 180", "refused 487"]
    caller.usage.cancel()
    assert len(caller.flow.requests("CANCEL")) == 1


def test_a_reinvite_of_ours_and_its_ack() -> None:
    caller = Caller()
    caller.confirm()
    dialog = caller.usage.dialog
    assert dialog is not None
    caller.usage.invite(dialog.make_request("INVITE"))
    caller.invite = caller.flow.requests("INVITE")[-1]
    assert caller.invite.cseq == 4
    caller.answer(200)
    caller.usage.acknowledge()
    assert caller.flow.requests("ACK")[-1].cseq == 4
    caller.answer(200)
    assert [ack.cseq for ack in caller.flow.requests("ACK")] == [3, 4, 4]


# ---- whether a new INVITE would cross anything


def test_busy_from_our_invite_to_our_ack() -> None:
    caller = Caller()
    assert caller.usage.busy
    caller.answer(200)
    assert caller.usage.busy and caller.usage.client is None
    caller.confirm()
    assert not caller.usage.busy


def test_busy_from_their_invite_to_their_ack() -> None:
    callee = Callee()
    assert callee.usage.busy
    callee.accept()
    assert callee.usage.busy and callee.usage.server is None
    callee.usage.end()
    assert not callee.usage.busy


def test_cancelled_until_the_next_invite() -> None:
    caller = Caller()
    assert not caller.usage.cancelled
    caller.usage.cancel()
    assert caller.usage.cancelled
    caller.answer(487)
    caller.usage.invite(caller.usage.dialog.make_request("INVITE"))
    assert not caller.usage.cancelled
