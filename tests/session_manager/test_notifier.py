"""RFC 6665 §4.2: who may subscribe, and when which NOTIFY leaves."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import cast

import pytest

from b2bua.observer import Observer
from b2bua.session_manager.event_packages import by_name
from b2bua.session_manager.event_packages.dialog_event import DIALOG
from b2bua.session_manager.event_packages.package import Answer
from b2bua.session_manager.event_state import EventState
from b2bua.session_manager.notifier import MAX_SUBSCRIPTIONS, Notifier
from b2bua.session_manager.subscription import ENDING, Subscription
from b2bua.session_manager.watcher_view import WatcherView, WatchPolicy
from b2bua.sip.dialog_info import DialogInfo, DialogState, Participant, parse_dialog_info
from b2bua.sip.flow import Flow
from b2bua.sip.message import Request
from b2bua.transaction.timers import Timers

AOR = "sip:6001@example.com"
CONTACT = "<sip:192.0.2.1:5060>"


def flow() -> Flow:
    """A flow that is only carried about: sending is handed in."""
    return cast(Flow, object())


class Sent:
    """A NOTIFY that left, and how to answer it."""

    def __init__(self, request: Request, flow: object, answer: Callable[[int], None]) -> None:
        self.request, self.flow, self.answer = request, flow, answer
        self.document = parse_dialog_info(request.body)

    @property
    def lamp(self) -> tuple[int, str]:
        return self.document.version, self.document.dialogs[0].state

    @property
    def state(self) -> str:
        return self.request.get("Subscription-State") or ""


class World:
    def __init__(self, watch: WatchPolicy = "domain") -> None:
        self.time = 1000.0
        self.timers = Timers(lambda: self.time)
        self.observer = Observer()
        self.sent: list[Sent] = []
        self.flow = flow()
        tags, calls, packages = count(1), count(1), by_name(DIALOG)
        self.calls, self.cseq, self.etag = calls, 1, ""
        fresh = lambda: f"sm{next(tags)}"  # noqa: E731
        same_group = lambda *users: users == ("6001", "6003")  # noqa: E731
        self.view = WatcherView(lambda package, aor: self.events.state(package, aor), fresh, watch, same_group)
        self.notifier = Notifier(
            packages,
            self.view,
            lambda request, flow, final: self.sent.append(Sent(request, flow, final)),
            self.timers,
            fresh,
            self.observer,
        )
        self.events = EventState(packages, lambda: f"e{next(tags)}", self.timers, self.notifier.changed)

    def subscribe(
        self,
        to: Subscription | None = None,
        *,
        watcher: str = "6001",
        aor: str = AOR,
        expires: int | None = 600,
        event: str = "dialog",
        accept: str | None = None,
        contact: str | None = "<sip:6001@192.0.2.10:5060>",
        from_tag: str | None = None,
        cseq: int = 0,
    ) -> tuple[Answer, Subscription | None]:
        """A SUBSCRIBE out of dialog, or in that of a subscription."""
        call_id = to.dialog.call_id if to else f"call-{next(self.calls)}"
        to_tag = f";tag={to.dialog.local_tag}" if to else ""
        tag = "phone" if from_tag is None else from_tag
        self.cseq += 1
        request = Request("SUBSCRIBE", aor, [], [])
        request.append("From", f"<sip:{watcher}@example.com>" + (f";tag={tag}" if tag else ""))
        request.append("To", f"<{aor}>{to_tag}")
        request.append("Call-ID", call_id)
        request.append("CSeq", f"{cseq or self.cseq} SUBSCRIBE")
        request.append("Event", event)
        for name, value in (("Contact", contact), ("Accept", accept), ("Expires", expires)):
            if value is not None:
                request.append(name, str(value))
        answers: list[tuple[Answer, Subscription | None]] = []
        self.notifier.subscribe(
            request, aor, watcher, self.flow, CONTACT, lambda answer, made: answers.append((answer, made))
        )
        [answer] = answers
        return answer

    def watch(self, **wish: object) -> Subscription:
        """Subscribe, get the first NOTIFY and answer it; a second passes."""
        answer, subscription = self.subscribe(**wish)  # type: ignore[arg-type]  # names and types are subscribe's own
        assert answer.status == 200 and subscription is not None
        subscription.notify_now()
        self.sent[-1].answer(200)
        self.pass_time(1.1)
        self.sent.clear()
        return subscription

    def publish(self, state: str, call: str = "trace") -> None:
        """CM publishes the state of the one call of 6001."""
        local = Participant(AOR, "sip:6001@192.0.2.10", "no")
        remote = Participant("sip:6002@example.com", "sip:6002@192.0.2.11")
        request = Request("PUBLISH", AOR, ["Event"], ["Event: dialog"])
        request.content = DialogInfo(AOR, (DialogState("d", state, "c", "a", "b", "initiator", local, remote),))
        request.call = call
        assert self.events.publish(request, AOR, "cm").status == 200

    def pass_time(self, seconds: float) -> None:
        self.time += seconds
        self.timers.advance()

    def lamps(self) -> list[tuple[int, str]]:
        return [notify.lamp for notify in self.sent]


@pytest.fixture
def world() -> World:
    return World()


# -- SUBSCRIBE ----------------------------------------------------------------------------------------------------


def test_subscribe_then_notify_at_once(world: World) -> None:
    answer, subscription = world.subscribe()
    assert (answer.status, dict(answer.headers)) == (200, {"Expires": "600", "Allow-Events": "dialog"})
    assert subscription is not None and not world.sent  # the response goes first
    subscription.notify_now()
    [notify] = world.sent
    request = notify.request
    assert (request.method, request.uri, request.call_id) == ("NOTIFY", "sip:6001@192.0.2.10:5060", "call-1")
    assert (request.from_.tag, request.to.tag) == (subscription.dialog.local_tag, "phone")
    assert (request.get("Event"), request.get("Contact"), request.get("Max-Forwards")) == ("dialog", CONTACT, "70")
    assert request.get("Content-Type") == "application/dialog-info+xml"
    assert notify.state == "active;expires=600"
    assert notify.lamp == (0, "terminated") and notify.document.dialogs[0].id == "idle"
    assert notify.flow is world.flow and request.call == ""


def test_change_before_the_response_waits_for_it(world: World) -> None:
    _, subscription = world.subscribe()
    world.publish("confirmed", "t1")
    assert subscription is not None and not world.sent
    subscription.notify_now()
    assert world.lamps() == [(0, "confirmed")]
    assert world.sent[0].request.call == "t1"


def test_unknown_package_is_489(world: World) -> None:
    answer, subscription = world.subscribe(event="presence")
    assert (answer.status, dict(answer.headers), subscription) == (489, {"Allow-Events": "dialog"}, None)


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("application/pidf+xml", 406),
        ("", 406),
        ("application/pidf+xml, Application/Dialog-Info+XML;q=0.5", 200),
        ("*/*", 200),
        ("application/*", 200),
    ],
)
def test_accept(world: World, accept: str, status: int) -> None:
    assert world.subscribe(accept=accept)[0].status == status


def test_expires(world: World) -> None:
    answer, _ = world.subscribe(expires=30)
    assert (answer.status, dict(answer.headers)) == (423, {"Min-Expires": "60"})
    assert dict(world.subscribe(expires=86400)[0].headers)["Expires"] == "3600"
    assert dict(world.subscribe(expires=None)[0].headers)["Expires"] == "3600"


@pytest.mark.parametrize("wish", [{"contact": None}, {"contact": "<tel:+1>"}, {"from_tag": ""}])
def test_no_dialog_without_contact_and_tag(world: World, wish: dict[str, str | None]) -> None:
    assert world.subscribe(**wish)[0].status == 400  # type: ignore[arg-type]  # names and types are subscribe's own
    assert world.notifier.count() == {"dialog": 0}


def test_policy_self_admits_the_user_and_its_group() -> None:
    world = World("self")
    assert world.subscribe(watcher="6001")[0].status == 200
    assert world.subscribe(watcher="6003")[0].status == 200
    assert world.subscribe(watcher="6002")[0].status == 403


@pytest.mark.parametrize(("watcher", "whole"), [("6001", True), ("6003", True), ("6002", False)])
def test_who_sees_what(world: World, watcher: str, whole: bool) -> None:
    world.publish("confirmed")
    _, subscription = world.subscribe(watcher=watcher)
    assert subscription is not None
    subscription.notify_now()
    [dialog] = world.sent[0].document.dialogs
    assert dialog.call_id == ("c" if whole else "")
    assert dialog.local.target == ("sip:6001@192.0.2.10" if whole else AOR)
    assert (dialog.state, dialog.local.rendering) == ("confirmed", "no")


def test_subscriptions_per_watcher_are_bounded(world: World) -> None:
    for _ in range(MAX_SUBSCRIPTIONS):
        assert world.subscribe()[0].status == 200
    answer, _ = world.subscribe()
    assert (answer.status, dict(answer.headers)) == (500, {"Retry-After": "60"})
    assert world.observer.counts["overload_rejected"] == {("subscriptions",): 1}
    assert world.subscribe(expires=0)[0].status == 200  # a fetch leaves nothing behind
    assert world.subscribe(watcher="6002")[0].status == 200


def test_fetch(world: World) -> None:
    answer, subscription = world.subscribe(expires=0)
    assert dict(answer.headers)["Expires"] == "0" and subscription is not None
    assert world.notifier.count() == {"dialog": 0}
    subscription.notify_now()
    assert world.sent[0].state == "terminated;reason=timeout" and world.lamps() == [(0, "terminated")]
    world.sent[0].answer(200)
    world.publish("confirmed")
    assert len(world.sent) == 1 and subscription.ended


def test_event_id_is_given_back(world: World) -> None:
    _, subscription = world.subscribe(event="dialog;sla; id=7 ")
    assert subscription is not None
    subscription.notify_now()
    assert world.sent[0].request.get("Event") == "dialog;id=7"
    assert world.subscribe(subscription, event="dialog;id=7")[0].status == 200
    assert world.subscribe(subscription, event="dialog")[0].status == 489


# -- in the dialog ------------------------------------------------------------------------------------------------


def test_refresh_notifies_at_once_and_moves_flow_target_and_end(world: World) -> None:
    subscription = world.watch()
    world.flow = flow()
    answer, same = world.subscribe(subscription, expires=900, contact="<sip:6001@192.0.2.99>")
    assert (answer.status, same) == (200, subscription)
    subscription.notify_now()
    [notify] = world.sent
    assert (notify.state, notify.request.uri, notify.request.cseq) == ("active;expires=900", "sip:6001@192.0.2.99", 2)
    assert notify.flow is world.flow and notify.lamp[0] == 1
    notify.answer(200)
    world.pass_time(800)
    assert world.notifier.count() == {"dialog": 1}
    world.pass_time(101)
    assert world.notifier.count() == {"dialog": 0}


def test_unknown_dialog_is_481(world: World) -> None:
    subscription = world.watch()
    assert world.subscribe(subscription, from_tag="other")[0].status == 481
    subscription.terminate("deactivated")
    assert world.sent[-1].state == "terminated;reason=deactivated"
    assert world.subscribe(subscription)[0].status == 481


def test_refresh_of_another_user_is_403(world: World) -> None:
    assert world.subscribe(world.watch(), watcher="6002")[0].status == 403


def test_refused_refresh_changes_nothing(world: World) -> None:
    subscription = world.watch()
    assert world.subscribe(subscription, cseq=1)[0].status == 500
    assert world.subscribe(subscription, expires=10)[0].status == 423
    assert world.subscribe(subscription, accept="text/plain")[0].status == 406
    assert world.subscribe(subscription, event="presence")[0].status == 489
    assert world.notifier.count() == {"dialog": 1} and not world.sent
    assert world.subscribe(subscription)[0].status == 200


def test_unsubscribe(world: World) -> None:
    subscription = world.watch()
    answer, _ = world.subscribe(subscription, expires=0)
    assert dict(answer.headers)["Expires"] == "0"
    subscription.notify_now()
    assert [notify.state for notify in world.sent] == ["terminated;reason=timeout"]
    world.sent[0].answer(481)
    assert world.notifier.count() == {"dialog": 0} and world.timers.running() == 0
    assert world.subscribe(subscription)[0].status == 481


def test_expiry_says_timeout(world: World) -> None:
    world.watch(expires=60)
    world.pass_time(60)
    assert [notify.state for notify in world.sent] == ["terminated;reason=timeout"]
    assert world.notifier.count() == {"dialog": 0} and world.timers.running() == 0


# -- changes ------------------------------------------------------------------------------------------------------


def test_nobody_watches_nothing_is_sent(world: World) -> None:
    world.publish("confirmed")
    assert not world.sent


def test_first_change_leaves_at_once_with_the_calls_id(world: World) -> None:
    world.watch()
    world.publish("trying", "t1")
    [notify] = world.sent
    assert notify.lamp == (1, "trying") and notify.request.call == "t1"
    assert notify.state == "active;expires=598"


def test_every_watcher_hears_it_and_others_do_not(world: World) -> None:
    world.watch()
    world.watch(watcher="6002")
    world.watch(aor="sip:6009@example.com")
    world.publish("confirmed")
    assert len(world.sent) == 2


def test_changes_within_a_second_fold_to_the_newest(world: World) -> None:
    world.watch()
    world.publish("trying", "t1")
    world.sent[0].answer(200)
    world.publish("early", "t2")
    world.publish("confirmed", "t3")
    assert len(world.sent) == 1
    world.pass_time(0.9)
    assert len(world.sent) == 1
    world.pass_time(0.2)
    assert world.lamps() == [(1, "trying"), (2, "confirmed")]
    assert world.sent[1].request.call == "t3"


def test_one_notify_is_in_flight_and_the_newest_follows_its_answer(world: World) -> None:
    world.watch()
    world.publish("trying")
    world.publish("early")
    world.pass_time(5)
    world.publish("confirmed")
    assert world.lamps() == [(1, "trying")]
    world.sent[0].answer(200)
    assert world.lamps() == [(1, "trying"), (2, "confirmed")]
    world.sent[1].answer(200)
    world.pass_time(5)
    assert len(world.sent) == 2


def test_early_answer_does_not_shorten_the_second(world: World) -> None:
    world.watch()
    world.publish("trying")
    world.publish("early")
    world.pass_time(0.3)
    world.sent[0].answer(200)
    assert len(world.sent) == 1
    world.pass_time(0.8)
    assert world.lamps()[1:] == [(2, "early")]


def test_subscribe_and_the_end_wait_for_nothing(world: World) -> None:
    subscription = world.watch()
    world.publish("trying")  # in flight
    world.subscribe(subscription)
    subscription.notify_now()
    world.publish("confirmed")
    world.subscribe(subscription, expires=0)
    subscription.notify_now()
    assert world.lamps() == [(1, "trying"), (2, "trying"), (3, "confirmed")]
    for notify in world.sent:
        notify.answer(200)
    world.pass_time(5)
    assert len(world.sent) == 3


def test_notify_after_refresh_takes_a_waiting_change_along(world: World) -> None:
    subscription = world.watch()
    world.publish("trying")
    world.sent[0].answer(200)
    world.publish("early", "t2")
    world.subscribe(subscription)
    subscription.notify_now()
    assert world.lamps()[1:] == [(2, "early")] and world.sent[1].request.call == "t2"
    world.sent[1].answer(200)
    world.pass_time(2)
    assert len(world.sent) == 2


# -- answers to NOTIFY --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", sorted(ENDING))
def test_answers_that_end_the_subscription(world: World, status: int) -> None:
    world.watch()
    world.publish("confirmed")
    world.publish("terminated")
    world.sent[0].answer(status)
    world.pass_time(5)
    assert len(world.sent) == 1 and world.notifier.count() == {"dialog": 0}
    assert world.observer.counts["notify"]["dialog", str(status)] == 1


def test_the_ending_answers_are_those_of_rfc_6665() -> None:
    assert sorted(ENDING) == [404, 405, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604]


@pytest.mark.parametrize("status", [200, 400, 486, 500, 503, 603])
def test_other_answers_do_not(world: World, status: int) -> None:
    world.watch()
    world.publish("confirmed")
    world.sent[0].answer(status)
    assert world.notifier.count() == {"dialog": 1}


def test_one_time_out_is_repeated_and_forgiven(world: World) -> None:
    world.watch()
    world.publish("confirmed", "t1")
    world.pass_time(32)
    world.sent[0].answer(408)
    assert world.lamps() == [(1, "confirmed"), (2, "confirmed")]
    assert world.sent[1].request.call == "t1"
    world.sent[1].answer(200)
    world.publish("terminated")
    world.pass_time(32)
    world.sent[2].answer(408)
    assert world.notifier.count() == {"dialog": 1}


def test_second_time_out_in_a_row_ends_it(world: World) -> None:
    world.watch()
    world.publish("confirmed")
    for _ in range(2):
        world.pass_time(32)
        world.sent[-1].answer(408)
    world.publish("terminated")
    world.pass_time(60)
    assert len(world.sent) == 2 and world.notifier.count() == {"dialog": 0}
    assert world.observer.counts["notify"]["dialog", "408"] == 2


def test_transport_failure_at_once_leaves_time_to_connect_again(world: World) -> None:
    subscription = world.watch()
    world.publish("confirmed", "t1")
    world.sent[0].answer(408)
    world.publish("terminated", "t2")
    world.pass_time(31.9)
    assert len(world.sent) == 1
    world.pass_time(0.2)
    assert world.lamps()[1:] == [(2, "terminated")] and world.sent[1].request.call == "t2"
    world.sent[1].answer(408)
    assert world.subscribe(subscription)[0].status == 481


def test_refresh_after_a_failure_goes_out_at_once(world: World) -> None:
    subscription = world.watch()
    world.publish("confirmed")
    world.sent[0].answer(408)
    world.subscribe(subscription)
    subscription.notify_now()
    world.sent[1].answer(200)
    world.publish("terminated")
    world.pass_time(1)
    assert world.lamps() == [(1, "confirmed"), (2, "confirmed"), (3, "terminated")]


def test_nothing_is_left_behind(world: World) -> None:
    subscriptions = [world.watch() for _ in range(3)]
    world.publish("confirmed")
    for subscription in subscriptions:
        subscription.terminate("noresource")
    for notify in world.sent:
        notify.answer(200)
    world.pass_time(3700)
    assert world.notifier.count() == {"dialog": 0} and world.timers.running() == 0
    assert len(world.sent) == 6


# -- how long a change takes ----------------------------------------------------------------------------------------


def latency(world: World) -> tuple[int, float]:
    histogram = world.observer.histograms["notify_latency_seconds"]["dialog"]
    return sum(histogram.counts), round(histogram.total, 1)


def test_a_change_is_measured_up_to_its_answer(world: World) -> None:
    world.watch()
    assert latency(world) == (0, 0.0)  # what follows a SUBSCRIBE tells no change
    world.publish("early")
    world.pass_time(0.2)
    assert latency(world) == (0, 0.0)
    world.sent[0].answer(200)
    assert latency(world) == (1, 0.2)


def test_changes_that_fold_wait_since_the_first(world: World) -> None:
    world.watch()
    world.publish("trying")
    world.sent[0].answer(200)
    world.pass_time(0.3)
    world.publish("early")
    world.pass_time(0.4)
    world.publish("confirmed")
    world.pass_time(0.4)
    world.sent[1].answer(200)
    assert len(world.sent) == 2 and latency(world) == (2, 0.8)


def test_a_change_that_was_not_answered_goes_on_waiting(world: World) -> None:
    world.watch()
    world.publish("early")
    world.pass_time(32)
    world.sent[0].answer(408)
    world.pass_time(0.2)
    world.sent[1].answer(200)
    assert latency(world) == (1, 32.2)


def test_a_refused_notify_has_no_latency(world: World) -> None:
    world.watch()
    world.publish("early")
    world.sent[0].answer(500)
    assert latency(world) == (0, 0.0)
