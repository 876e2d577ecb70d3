"""RFC 3261 §16.7: of the answers of all branches the right one goes back, with RFC 4320 and RFC 6026."""

from __future__ import annotations

import pytest

from b2bua.session_manager.response_context import ResponseContext
from b2bua.sip.message import Request, Response
from b2bua.sip.reason import REASON
from b2bua.transaction.timers import TIMER_C
from tests.transaction.neighbours import Element, FakeFlow, reply, request


class Proxy(Element):
    """A request came in and went on by some branches."""

    def __init__(self, branches: int = 1, method: str = "INVITE", silence: int = 408, patience: float = TIMER_C) -> None:
        super().__init__()
        self.receive(request(method))
        transaction, received = self.core.requests[0]
        self.context = ResponseContext(self.layer, transaction, received, lambda: "tag", silence, patience)
        self.branches = [FakeFlow(remote=("192.0.2.20", 5060 + number)) for number in range(branches)]
        for branch in self.branches:
            self.context.add(self.layer.send_request(received.copy(), branch, self.context))

    def sent(self, branch: int, method: str = "") -> Request:
        requests = [made for made in self.branches[branch].sent if isinstance(made, Request)]
        return next(made for made in requests if method in ("", made.method))

    def answer(self, branch: int, status: int, *headers: tuple[str, str], tag: str = "") -> None:
        response = reply(self.sent(branch), status, tag or f"b{branch}")
        for name, value in headers:
            response.append(name, value)
        self.receive(response, self.branches[branch])

    def cancelled(self) -> list[int]:
        return [number for number, branch in enumerate(self.branches) if branch.requests("CANCEL")]

    @property
    def statuses(self) -> list[int]:
        return self.flow.statuses()

    @property
    def last(self) -> Response:
        return self.flow.last_response()


# -- one branch ---------------------------------------------------------------------------------------------------


def test_progress_and_answer_go_back_without_our_via() -> None:
    proxy = Proxy()
    for status in (100, 180, 183, 200):
        proxy.answer(0, status)
    assert proxy.statuses == [180, 183, 200]  # 100 ends at each hop
    assert all(len(message.get_all("Via")) == 1 for message in proxy.flow.sent)
    assert proxy.last.top_via.branch == "z9hG4bK1" and proxy.last.to.tag == "b0"


@pytest.mark.parametrize("status", [302, 404, 486, 500, 603])
def test_a_failure_goes_back_as_it_is(status: int) -> None:
    proxy = Proxy()
    proxy.answer(0, status, ("X-Test", "kept"))
    assert proxy.statuses == [status] and proxy.last.get("X-Test") == "kept"
    assert proxy.branches[0].requests("ACK")


def test_503_becomes_500() -> None:
    proxy = Proxy()
    proxy.answer(0, 503, ("X-Test", "not ours"))
    assert proxy.statuses == [500]
    assert proxy.last.get("X-Test") is None and proxy.last.get("Retry-After") is None and proxy.last.to.tag == "tag"


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (("600",), "600"),
        (("600", "30"), "30"),  # the first of them may do
        (("120 (in a meeting)", "18000;duration=3600"), "120"),
        (("soon",), None),
    ],
)
def test_retry_after_of_a_503_goes_along_with_the_500(asked: tuple[str, ...], told: str | None) -> None:
    proxy = Proxy(len(asked))
    for number, seconds in enumerate(asked):
        proxy.answer(number, 503, ("Retry-After", seconds))
    assert proxy.statuses == [500] and proxy.last.get("Retry-After") == told


def test_retry_after_of_one_contact_says_nothing_of_another() -> None:
    proxy = Proxy(2)
    proxy.answer(0, 503, ("Retry-After", "600"))
    proxy.answer(1, 500)
    assert proxy.statuses == [500] and proxy.last.get("Retry-After") is None


def test_a_broken_flow_becomes_500() -> None:
    proxy = Proxy()
    proxy.layer.flow_failed(proxy.branches[0])
    assert proxy.statuses == [500]


def test_an_invite_that_nobody_answers_is_408() -> None:
    proxy = Proxy()
    proxy.clock.pass_time(33)
    assert proxy.statuses == [408] and proxy.last.to.tag == "tag"


# -- the best of several ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answers", "best"),
    [
        ((404, 486), 404),  # equals: the first that came
        ((486, 404), 486),
        ((500, 486), 486),  # the lowest class
        ((486, 302), 302),
        ((486, 603), 603),  # any 6xx goes before all
        ((302, 600), 600),
        ((486, 407), 407),  # of one class what tells the caller most
        ((404, 415), 415),
        ((480, 420), 420),
        ((404, 484), 484),
        ((486, 401), 401),
        ((503, 500), 500),
        ((503, 504), 504),
        ((503, 503), 500),
        ((503, 404), 404),
        ((487, 408, 480), 487),
    ],
)
def test_the_best_response(answers: tuple[int, ...], best: int) -> None:
    proxy = Proxy(len(answers))
    for number, status in enumerate(answers):
        assert proxy.statuses == []
        proxy.answer(number, status)
    assert proxy.statuses == [best]


@pytest.mark.parametrize("first", [300, 302, 403, 404, 500, 504, 600, 604])
def test_of_one_class_five_tell_the_caller_most(first: int) -> None:
    """RFC 3261 §16.7 step 6 names 401, 407, 415, 420 and 484; else the first that came is as good as any."""
    for status in REASON:
        if status // 100 == first // 100 and status not in (first, 503):
            proxy = Proxy(2)
            proxy.answer(0, first)
            proxy.answer(1, status)
            assert proxy.statuses == [status if status in (401, 407, 415, 420, 484) else first], status


def test_all_challenges_of_all_branches_go_back() -> None:
    proxy = Proxy(3)
    first, second, third = 'Digest realm="a", nonce="1"', 'Digest realm="b", nonce="2"', 'Digest realm="c", nonce="3"'
    proxy.answer(0, 407, ("Proxy-Authenticate", first))
    proxy.answer(1, 401, ("WWW-Authenticate", second), ("WWW-Authenticate", third))
    proxy.answer(2, 486)
    assert proxy.statuses == [407]
    assert proxy.last.get_all("Proxy-Authenticate") == [first]
    assert proxy.last.get_all("WWW-Authenticate") == [second, third]


def test_a_challenge_stays_off_an_answer_that_is_none() -> None:
    proxy = Proxy(2)
    proxy.answer(0, 407, ("Proxy-Authenticate", 'Digest realm="a"'))
    proxy.answer(1, 603)
    assert proxy.statuses == [603] and not proxy.last.has("Proxy-Authenticate")


def test_what_is_no_challenge_adds_none() -> None:
    """Step 7 collects from 401 and 407 only."""
    proxy = Proxy(2)
    proxy.answer(0, 403, ("Proxy-Authenticate", 'Digest realm="a"'))
    proxy.answer(1, 407, ("Proxy-Authenticate", 'Digest realm="b"'))
    assert proxy.statuses == [407] and proxy.last.get_all("Proxy-Authenticate") == ['Digest realm="b"']


def test_of_a_request_that_is_no_invite_one_2xx_goes_back() -> None:
    proxy = Proxy(2, "MESSAGE")
    proxy.answer(0, 200)
    proxy.answer(1, 202)
    assert proxy.statuses == [200] and proxy.count("responses", "out", "MESSAGE", "202") == 0


def test_a_2xx_goes_back_at_once_and_cancels_the_others() -> None:
    proxy = Proxy(3)
    proxy.answer(0, 180)
    proxy.answer(1, 486)
    proxy.answer(2, 200)
    assert proxy.statuses == [180, 200]
    assert proxy.cancelled() == [0]
    proxy.answer(0, 487)
    assert proxy.statuses == [180, 200]


def test_a_6xx_cancels_the_others_and_waits_for_them() -> None:
    proxy = Proxy(2)
    proxy.answer(0, 180)
    proxy.answer(1, 603)
    assert proxy.statuses == [180] and proxy.cancelled() == [0]
    proxy.answer(0, 487)
    assert proxy.statuses == [180, 603]


def test_a_2xx_after_a_6xx_still_wins() -> None:
    proxy = Proxy(2)
    proxy.answer(0, 180)
    proxy.answer(1, 603)
    proxy.answer(0, 200)
    assert proxy.statuses == [180, 200]


def test_progress_after_the_answer_stays_here() -> None:
    proxy = Proxy(2)
    proxy.answer(0, 200)
    proxy.answer(1, 180)
    assert proxy.statuses == [200]


# -- late and repeated 2xx (RFC 6026 §7.1) ------------------------------------------------------------------------


def test_every_2xx_of_an_invite_goes_back() -> None:
    proxy = Proxy(2)
    proxy.answer(0, 200)
    proxy.answer(0, 200)
    proxy.answer(1, 200)
    assert proxy.statuses == [200, 200, 200]
    tags = [message.to.tag for message in proxy.flow.sent]
    assert tags == ["b0", "b0", "b1"]


# -- CANCEL (§16.10) and timer C (§16.8) --------------------------------------------------------------------------


def test_a_cancel_goes_to_every_branch_and_their_answers_decide() -> None:
    proxy = Proxy(2)
    proxy.answer(0, 180)
    proxy.answer(1, 100)
    proxy.context.cancel(("Reason", "SIP;cause=200"))
    assert proxy.cancelled() == [0, 1]
    assert proxy.sent(0, "CANCEL").get("Reason") == "SIP;cause=200"
    proxy.answer(0, 487)
    proxy.answer(1, 487)
    assert proxy.statuses == [180, 487]


def test_a_cancel_that_crosses_the_answer() -> None:
    proxy = Proxy()
    proxy.answer(0, 180)
    proxy.context.cancel()
    proxy.answer(0, 200)
    assert proxy.statuses == [180, 200]


@pytest.mark.parametrize("silence", [408, 487])
def test_cancelled_and_nobody_says_so(silence: int) -> None:
    proxy = Proxy(silence=silence)
    proxy.answer(0, 180)
    proxy.context.cancel()
    proxy.clock.pass_time(33)
    assert proxy.statuses == [180, silence]


def test_timer_c_gives_up_a_call_that_rings_too_long() -> None:
    proxy = Proxy()
    proxy.answer(0, 180)
    proxy.clock.pass_time(TIMER_C - 1)
    assert proxy.cancelled() == []
    proxy.clock.pass_time(2)
    assert proxy.cancelled() == [0]
    proxy.answer(0, 487)
    assert proxy.statuses == [180, 408] and proxy.last.to.tag == "tag"
    proxy.clock.pass_time(40)
    assert proxy.layer.transactions() == (0, 0)


def test_timer_c_and_no_answer_to_its_cancel() -> None:
    proxy = Proxy(silence=487)
    proxy.answer(0, 180)
    proxy.clock.pass_time(TIMER_C + 33)
    assert proxy.cancelled() == [0] and proxy.statuses == [180, 408]


@pytest.mark.parametrize("status", [200, 486, 603])
def test_an_answer_that_crosses_the_cancel_of_timer_c_counts(status: int) -> None:
    proxy = Proxy()
    proxy.answer(0, 180)
    proxy.clock.pass_time(TIMER_C + 1)
    proxy.answer(0, status)
    assert proxy.statuses == [180, status]


def test_each_branch_has_its_own_timer_c() -> None:
    proxy = Proxy(2)
    proxy.answer(0, 180)
    proxy.answer(1, 180)
    proxy.clock.pass_time(TIMER_C - 10)
    proxy.answer(1, 180)
    proxy.clock.pass_time(20)
    assert proxy.cancelled() == [0]
    proxy.answer(0, 487)
    assert proxy.statuses == [180, 180, 180]  # the other still rings
    proxy.clock.pass_time(TIMER_C - 5)
    assert proxy.cancelled() == [0, 1]
    proxy.answer(1, 486)
    assert proxy.statuses[3:] == [408]  # of equals the first


def test_a_caller_who_gives_up_hears_487_and_not_of_timer_c() -> None:
    proxy = Proxy()
    proxy.answer(0, 180)
    proxy.context.cancel()
    proxy.answer(0, 487)
    proxy.clock.pass_time(TIMER_C + 40)
    assert proxy.statuses == [180, 487] and proxy.clock.timers.running() == 0


def test_more_patience() -> None:
    proxy = Proxy(patience=TIMER_C + 33)
    proxy.answer(0, 180)
    proxy.clock.pass_time(TIMER_C + 32)
    assert proxy.cancelled() == []
    proxy.clock.pass_time(2)
    assert proxy.cancelled() == [0]


def test_progress_starts_timer_c_anew() -> None:
    proxy = Proxy()
    for _ in range(3):
        proxy.answer(0, 180)
        proxy.clock.pass_time(TIMER_C - 1)
    assert proxy.cancelled() == []
    proxy.answer(0, 100)  # a 100 does not
    proxy.clock.pass_time(2)
    assert proxy.cancelled() == [0]


def test_the_answer_ends_timer_c() -> None:
    proxy = Proxy()
    proxy.answer(0, 180)
    proxy.answer(0, 200)
    proxy.clock.pass_time(TIMER_C + 40)
    assert proxy.cancelled() == [] and proxy.clock.timers.running() == 0
    assert proxy.layer.transactions() == (0, 0)


def test_no_timer_c_without_an_invite() -> None:
    proxy = Proxy(method="OPTIONS")
    proxy.answer(0, 180)
    assert not proxy.context._timers_c
    proxy.context.cancel()
    assert proxy.cancelled() == []


# -- RFC 4320: no 408 to a request that is no INVITE --------------------------------------------------------------


def test_nobody_answered() -> None:
    proxy = Proxy(method="OPTIONS")
    proxy.clock.pass_time(33)
    assert proxy.statuses == [100]
    assert proxy.layer.transactions() == (0, 0)


def test_nobody_answered_on_any_branch() -> None:
    proxy = Proxy(2, method="OPTIONS")
    proxy.clock.pass_time(33)
    assert proxy.statuses == [100] and proxy.layer.transactions() == (0, 0)


def test_a_408_that_another_server_sent_goes_no_further() -> None:
    proxy = Proxy(method="OPTIONS")
    proxy.answer(0, 408)
    assert proxy.statuses == []
    proxy.clock.pass_time(33)
    assert proxy.layer.transactions() == (0, 0)


def test_what_another_branch_said_is_told_in_place_of_408() -> None:
    proxy = Proxy(2, method="OPTIONS")
    proxy.answer(0, 500)
    proxy.clock.pass_time(33)
    assert proxy.statuses == [100, 500]


def test_a_408_to_an_invite_is_told() -> None:
    proxy = Proxy()
    proxy.answer(0, 408)
    assert proxy.statuses == [408]


def test_the_server_transaction_knows_its_context() -> None:
    proxy = Proxy()
    assert proxy.transaction().attached is proxy.context
