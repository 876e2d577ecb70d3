"""RFC 3261 §10.3, step by step."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from b2bua.observer import Observer
from b2bua.session_manager.domain import Domain
from b2bua.session_manager.location import Binding, Location
from b2bua.session_manager.registrar import MAX_CONTACTS, ExpiryLimits, Registrar, Saved, without_expires
from b2bua.sip.errors import SipError
from b2bua.sip.flow import Flow
from b2bua.sip.message import Request, Response
from b2bua.sip.profiles import Profiles
from tests.transaction.neighbours import Clock, FakeFlow, request

PHONE = "<sip:6001@192.0.2.10:5060>"
DESK = "<sip:6001@192.0.2.11:5060>"


class World:
    """A registrar, its store (which may wait or fail), and a phone that counts its CSeq."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.observer = Observer()
        self.location = Location(self.clock.timers, self.clock.now)
        domain = Domain("example.com")
        domain.listens_on([("192.0.2.1", 5060)])
        self.saves: list[tuple[str, tuple[Binding, ...], Saved]] = []
        self.slow = False
        self.error: Exception | None = None
        self.learned: list[str] = []
        self.registrar = Registrar(
            domain, self.location, self._save, self.clock.now, self.observer, ExpiryLimits(60, 3600, 1800),
            lambda user, flow, uri: self.learned.append(uri),
        )  # fmt: skip
        self.flow = FakeFlow()
        self.cseq = 0
        self.responses: list[Response] = []

    def _save(self, user: str, bindings: Sequence[Binding], saved: Saved) -> None:
        self.saves.append((user, tuple(bindings), saved))
        if not self.slow:
            saved(self.error)

    def register(
        self, *contacts: str, expires: int | str | None = None, call_id: str = "c1", cseq: int = 0,
        sent_by: str = "192.0.2.10", flow: Flow | None = None, more: tuple[tuple[str, str], ...] = (),
    ) -> Response | None:  # fmt: skip
        """The answer; None while the store is at work."""
        self.cseq += 1
        headers = [("Contact", contact) for contact in contacts]
        if expires is not None:
            headers.append(("Expires", str(expires)))
        made: Request = request(
            "REGISTER", cseq=cseq or self.cseq, call_id=call_id, sent_by=sent_by, more=(*headers, *more),
            uri="sip:example.com",
        )  # fmt: skip
        before = len(self.responses)
        self.registrar.register(made, "6001", flow or self.flow, self.responses.append)
        return self.responses[-1] if len(self.responses) > before else None

    def listed(self, *contacts: str, **how: object) -> list[str]:
        response = self.register(*contacts, **how)  # type: ignore[arg-type]  # names and types are those of `register`
        assert response is not None and response.status == 200
        return response.get_all("Contact")

    def refused(self, *contacts: str, **how: object) -> SipError:
        before = self.location.bindings("6001")
        saves = len(self.saves)
        with pytest.raises(SipError) as error:
            self.register(*contacts, **how)  # type: ignore[arg-type]  # names and types are those of `register`
        assert self.location.bindings("6001") == before and len(self.saves) == saves  # all or nothing
        return error.value

    def uris(self) -> list[str]:
        return [binding.uri for binding in self.location.bindings("6001")]

    def count(self, result: str) -> int:
        return self.observer.counts["register"][result,]


@pytest.fixture
def world() -> World:
    return World()


# -- what is listed -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("contact", "echo"),
    [
        (PHONE, PHONE),
        ("sip:6001@192.0.2.10", "<sip:6001@192.0.2.10>"),
        ("sip:6001@192.0.2.10;q=0.5", "<sip:6001@192.0.2.10>;q=0.5"),
        ('"A, > <b;" <sip:6001@192.0.2.10;transport=udp;x>', '"A, > <b;" <sip:6001@192.0.2.10;transport=udp;x>'),
        ("<sip:6001@192.0.2.10> ;q=1; expires=600", "<sip:6001@192.0.2.10> ;q=1"),
        (PHONE + ';+sip.instance="<urn:uuid:1>";reg-id=1', PHONE + ';+sip.instance="<urn:uuid:1>";reg-id=1'),
        (PHONE + ";expires=600;q=1", PHONE + ";q=1"),
        (PHONE + ";q=1; EXPIRES=600", PHONE + ";q=1"),
        (PHONE + ";Q=0.7;+u.sip!x=\"a;expires=5\"", PHONE + ";Q=0.7;+u.sip!x=\"a;expires=5\""),
        ("<sip:6001@192.0.2.10;expires=5>", "<sip:6001@192.0.2.10;expires=5>"),  # the URI's own parameter stays
        ("<sip:%36001@192.0.2.10>", "<sip:%36001@192.0.2.10>"),
    ],
)
def test_each_contact_is_echoed_byte_for_byte(world: World, contact: str, echo: str) -> None:
    [listed] = world.listed(contact, expires=600)
    assert listed == f"{echo};expires=600"
    assert without_expires(contact) == echo


def test_every_binding_is_listed_with_what_it_has_left(world: World) -> None:
    world.listed(PHONE, expires=600)
    world.clock.pass_time(100)
    assert world.listed(DESK, expires=300) == [f"{DESK};expires=300", f"{PHONE};expires=500"]
    assert world.listed() == [f"{DESK};expires=300", f"{PHONE};expires=500"]


def test_a_query_changes_and_saves_nothing(world: World) -> None:
    assert world.listed() == []
    assert world.saves == [] and world.count("ok") == 1


def test_the_answer_belongs_to_the_request(world: World) -> None:
    response = world.register(PHONE, more=(("Path", "<sip:p.example.com;lr>"), ("User-Agent", "phone")))
    assert response is not None
    assert (response.call_id, response.cseq, response.cseq_method) == ("c1", 1, "REGISTER")
    assert response.get_all("Path") == ["<sip:p.example.com;lr>"]
    [binding] = world.location.bindings("6001")
    assert (binding.path, binding.user_agent) == (("<sip:p.example.com;lr>",), "phone")


def test_the_trace_learns_the_contact(world: World) -> None:
    world.register(PHONE)
    assert world.learned == ["sip:6001@192.0.2.10:5060"]


# -- how long -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("contact", "expires", "granted"),
    [
        (PHONE, None, 1800),
        (PHONE, 600, 600),
        (PHONE, 60, 60),
        (PHONE, 3601, 3600),
        (PHONE, 2**32, 3600),
        (PHONE + ";expires=120", 600, 120),  # its own parameter goes first
        (PHONE + ";expires=99999999999999999999", 600, 3600),
        (PHONE + ";expires=soon", 600, 3600),  # malformed (§10.2.1), whatever Expires says
        (PHONE + ";expires=-1", 0, 3600),
        (PHONE + ";expires", None, 3600),
    ],
)
def test_what_is_granted(world: World, contact: str, expires: int | None, granted: int) -> None:
    [listed] = world.listed(contact, expires=expires)
    assert listed == f"{PHONE};expires={granted}"
    [binding] = world.location.bindings("6001")
    assert binding.expires_at == 1000.0 + granted


@pytest.mark.parametrize(("contact", "expires"), [(PHONE, 59), (PHONE, 1), (PHONE + ";expires=30", 600)])
def test_too_brief_is_423(world: World, contact: str, expires: int) -> None:
    error = world.refused(contact, expires=expires)
    assert (error.status, error.headers) == (423, (("Min-Expires", "60"),))
    assert world.count("too_brief") == 1


@pytest.mark.parametrize(
    ("expires", "granted"), [(1, 0), (3599, 0), (3600, 3600), (7199, 7199), (7200, 7200), (9000, 8000), (0, None)]
)
def test_an_hour_is_never_too_brief(world: World, expires: int, granted: int | None) -> None:
    """A minimum of more than an hour is asked for, not enforced (§10.3 step 7)."""
    world.registrar.follow(ExpiryLimits(7200, 8000, 7200), Profiles())
    if granted == 0:
        error = world.refused(PHONE, expires=expires)
        assert (error.status, error.headers) == (423, (("Min-Expires", "7200"),))
        return
    assert world.listed(PHONE, expires=expires) == ([] if granted is None else [f"{PHONE};expires={granted}"])


@pytest.mark.parametrize("contacts", [(), (PHONE,)], ids=["query", "binding"])
def test_the_200_carries_the_date(world: World, contacts: tuple[str, ...]) -> None:
    """Step 8; RFC 3261 §20.17: RFC 1123 form, GMT."""
    world.clock.start = 1_289_690_940.0
    response = world.register(*contacts)
    assert response is not None and response.get_all("Date") == ["Sat, 13 Nov 2010 23:29:00 GMT"]


def test_expires_that_is_no_number(world: World) -> None:
    assert world.refused(PHONE, expires="soon").status == 400


# -- removal ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("contact", "expires"), [(PHONE, 0), (PHONE + ";expires=0", 600)])
def test_one_contact_is_removed(world: World, contact: str, expires: int) -> None:
    world.register(PHONE, DESK, expires=600)
    assert world.listed(contact, expires=expires) == [f"{DESK};expires=600"]
    assert world.listed(DESK, expires=0) == []
    assert world.count("removed") == 1


def test_removal_of_what_is_not_there(world: World) -> None:
    assert world.listed(PHONE, expires=0) == []


def test_star_removes_all(world: World) -> None:
    world.register(PHONE, DESK)
    assert world.listed("*", expires=0) == []
    assert world.uris() == [] and world.count("removed") == 1


@pytest.mark.parametrize(
    ("contacts", "expires"),
    [(("*",), None), (("*",), 60), (("*", PHONE), 0), ((PHONE, "*"), 0), (("*", "*"), 0), (("*;expires=0",), None)],
)
def test_star_stands_alone_with_expires_0(world: World, contacts: tuple[str, ...], expires: int | None) -> None:
    world.register(DESK)
    assert world.refused(*contacts, expires=expires).status == 400
    assert world.count("error") == 1


def test_star_obeys_the_order_too(world: World) -> None:
    world.register(PHONE, cseq=5)
    assert world.refused("*", expires=0, cseq=5).status == 500
    assert world.listed("*", expires=0, cseq=6) == []


# -- order (step 7) -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cseq", [1, 4, 5])
def test_an_overtaken_request_changes_nothing(world: World, cseq: int) -> None:
    world.register(PHONE, cseq=5)
    assert world.refused(PHONE, expires=0, cseq=cseq).status == 500
    assert world.refused(PHONE, expires=600, cseq=cseq).status == 500


def test_the_order_counts_per_call_id(world: World) -> None:
    world.register(PHONE, cseq=5)
    assert world.listed(PHONE, expires=600, call_id="c2", cseq=1) == [f"{PHONE};expires=600"]
    assert len(world.uris()) == 1


def test_a_higher_number_refreshes(world: World) -> None:
    world.register(PHONE, cseq=5, expires=600)
    world.clock.pass_time(300)
    assert world.listed(PHONE, cseq=9, expires=600) == [f"{PHONE};expires=600"]


def test_all_or_nothing(world: World) -> None:
    world.register(PHONE, cseq=5)
    assert world.refused(DESK, PHONE, cseq=5).status == 500  # the second one is out of order: the first is not bound
    assert world.refused(DESK + ";expires=600", "<sip:6001@192.0.2.12>;expires=5", cseq=6).status == 423
    assert world.refused(DESK, "<nonsense>", cseq=7).status == 400
    assert world.uris() == ["sip:6001@192.0.2.10:5060"]


# -- which contacts -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("contact", ["<tel:+15551234>", "<mailto:a@example.com>", "<nonsense>", "<sip:>", '"x'])
def test_what_is_no_contact_is_400(world: World, contact: str) -> None:
    assert world.refused(contact).status == 400


@pytest.mark.parametrize("contact", ["<sip:6001@192.0.2.1:5060>", "<sip:6001@192.0.2.1>", "<sip:192.0.2.1>"])
def test_our_own_listener_is_403(world: World, contact: str) -> None:
    assert world.refused(contact).status == 403


def test_many_contacts(world: World) -> None:
    contacts = [f"<sip:6001@192.0.2.{number}>" for number in range(100, 100 + MAX_CONTACTS)]
    assert len(world.listed(*contacts)) == MAX_CONTACTS
    assert world.refused(DESK).status == 403
    assert len(world.listed(contacts[0], expires=600)) == MAX_CONTACTS  # a refresh is none more
    world.register(contacts[0], expires=0)
    assert len(world.listed(DESK)) == MAX_CONTACTS


def test_contacts_in_one_line(world: World) -> None:
    assert len(world.listed(f"{PHONE}, {DESK};q=0.1")) == 2


def test_one_binding_per_instance_and_reg_id(world: World) -> None:
    instance = ';+sip.instance="<urn:uuid:1>"'
    world.register(f"<sip:6001@192.0.2.10:1111>{instance};reg-id=1")
    world.register(f"<sip:6001@192.0.2.10:2222>{instance};reg-id=1")
    world.register(f"<sip:6001@192.0.2.10:3333>{instance};reg-id=2")
    assert world.uris() == ["sip:6001@192.0.2.10:3333", "sip:6001@192.0.2.10:2222"]
    assert [(binding.instance, binding.reg_id) for binding in world.location.bindings("6001")] == [
        ("<urn:uuid:1>", 2), ("<urn:uuid:1>", 1),
    ]  # fmt: skip


@pytest.mark.parametrize(("sent_by", "nat"), [("192.0.2.10", True), ("203.0.113.7:40000", False)])
def test_where_it_came_from_is_kept(world: World, sent_by: str, nat: bool) -> None:
    world.register(PHONE, sent_by=sent_by, flow=FakeFlow(remote=("203.0.113.7", 40000)))
    [binding] = world.location.bindings("6001")
    assert (binding.source, binding.listener, binding.nat) == (("203.0.113.7", 40000), "udp:192.0.2.1:5060", nat)


# -- Path (RFC 3327 §5.3) -----------------------------------------------------------------------------------------


def test_the_path_is_kept_in_order_and_echoed(world: World) -> None:
    """Two lines or one, the hop next to us first."""
    path = ("<sip:edge@203.0.113.7:5070;lr>", "<sip:inner.example.com;lr;ob>")
    for more in ((("Path", path[0]), ("Path", path[1])), (("Path", ", ".join(path)),)):
        response = world.register(PHONE, more=more)
        assert response is not None and response.elements("Path") == list(path)
        assert world.location.bindings("6001")[0].path == path


@pytest.mark.parametrize("value", ["nonsense", "<nonsense>", "<tel:+15551234>", "<sip:>", "<sip:p.example.com;lr>, <x>"])
def test_a_path_that_is_none_is_400(world: World, value: str) -> None:
    assert world.refused(PHONE, more=(("Path", value),)).status == 400


@pytest.mark.parametrize("value", ["<sip:192.0.2.1;lr>", "<sip:203.0.113.7;lr>, <sip:x@192.0.2.1:5060;lr>"])
def test_a_path_through_ourselves_is_403(world: World, value: str) -> None:
    assert world.refused(PHONE, more=(("Path", value),)).status == 403


@pytest.mark.parametrize(
    ("path", "sent_by", "nat"),
    [
        ("<sip:203.0.113.7:5070;lr>", "203.0.113.7:40000", False),  # an edge that takes calls at another port
        ("<sip:10.0.0.9:5070;lr>", "10.0.0.9:5070", True),  # an edge behind NAT itself
        ("<sip:edge.example.com;lr>", "203.0.113.7:40000", False),  # a name that can be looked up
        ("<sip:edge;lr>", "203.0.113.7:40000", True),  # one that cannot: only the flow is known
    ],
)
def test_behind_nat_is_the_hop_next_to_us(world: World, path: str, sent_by: str, nat: bool) -> None:
    flow = FakeFlow(remote=("203.0.113.7", 40000))
    world.register("<sip:6001@10.0.0.5>", sent_by=sent_by, flow=flow, more=(("Path", path),))
    [binding] = world.location.bindings("6001")
    assert (binding.nat, binding.by_flow) == (nat, True)


# -- the store ----------------------------------------------------------------------------------------------------


def test_nothing_is_acknowledged_before_it_is_saved(world: World) -> None:
    world.slow = True
    assert world.register(PHONE) is None
    assert world.uris() == []
    world.saves[0][2](None)
    assert world.responses[-1].status == 200 and len(world.uris()) == 1


def test_a_failed_store_is_500_and_changes_nothing(world: World) -> None:
    world.register(PHONE)
    world.error = OSError("disk full")
    response = world.register(DESK)
    assert response is not None
    assert (response.status, response.get("Retry-After"), response.get_all("Contact")) == (500, "10", [])
    assert world.uris() == ["sip:6001@192.0.2.10:5060"]
    assert world.count("error") == 1 and "disk" not in str(response)
    world.error = None
    assert len(world.listed(DESK)) == 2


def test_two_phones_at_once_are_both_bound(world: World) -> None:
    """The second REGISTER comes while the store still writes the first: it must not lose it."""
    world.slow = True
    world.register(PHONE, call_id="c1", cseq=1)
    world.register(DESK, call_id="c2", cseq=1)
    for _, _, saved in world.saves:
        saved(None)
    assert [response.status for response in world.responses] == [200, 200]
    assert world.uris() == ["sip:6001@192.0.2.11:5060", "sip:6001@192.0.2.10:5060"]


def test_the_order_holds_while_the_store_writes(world: World) -> None:
    world.slow = True
    world.register(PHONE, cseq=6)
    assert world.refused(PHONE, expires=0, cseq=5).status == 500


def test_after_a_failed_write_the_next_goes_on_from_what_stands(world: World) -> None:
    world.slow = True
    world.register(PHONE, cseq=1)
    world.saves[0][2](OSError("disk full"))
    world.register(PHONE, cseq=2)
    assert [binding.cseq for binding in world.saves[-1][1]] == [2]
    world.saves[-1][2](None)
    assert len(world.uris()) == 1


# -- when the store takes nothing ---------------------------------------------------------------------------------


def test_a_refresh_of_a_known_contact_is_answered_for_a_minute_and_written_later(world: World) -> None:
    world.listed(PHONE, expires=600)
    world.error = OSError("disk full")
    assert world.listed(PHONE, expires=600) == [f"{PHONE};expires=60"]
    assert world.observer.counts["not_durable"]["binding",] == 1
    assert world.saves[-1][1] == world.location.bindings("6001")  # what the store owes is what was granted
    world.error = None
    assert world.listed(PHONE, expires=600) == [f"{PHONE};expires=600"]


def test_a_new_contact_is_refused_and_not_written_later_either(world: World) -> None:
    world.listed(PHONE, expires=600)
    before = world.location.bindings("6001")
    world.error = OSError("disk full")
    response = world.register(DESK, expires=600)
    assert response is not None and (response.status, response.get("Retry-After")) == (500, "10")
    assert world.location.bindings("6001") == before == world.saves[-1][1]
    response = world.register(PHONE, DESK, expires=600)
    assert response is not None and response.status == 500
    assert world.location.bindings("6001") == before == world.saves[-1][1]


@pytest.mark.parametrize(("contact", "expires"), [(PHONE, 0), ("*", 0)])
def test_who_leaves_is_gone_all_the_same(world: World, contact: str, expires: int) -> None:
    world.listed(PHONE, expires=600)
    world.error = OSError("disk full")
    assert world.listed(contact, expires=expires) == []
    assert world.uris() == [] and world.saves[-1][1] == ()


def test_a_slow_store_that_fails_is_no_other_than_one_that_fails_at_once(world: World) -> None:
    world.listed(PHONE, expires=600)
    world.slow = True
    assert world.register(PHONE, expires=600) is None
    _, _, saved = world.saves[-1]
    saved(OSError("no commit"))
    assert world.responses[-1].status == 200 and world.responses[-1].get_all("Contact") == [f"{PHONE};expires=60"]


def test_what_was_refused_does_not_undo_a_newer_one_that_the_store_takes(world: World) -> None:
    world.slow = True
    world.register(PHONE, expires=600)
    world.register(DESK, expires=600)
    (_, _, first), (_, bindings, second) = world.saves
    first(OSError("disk full"))
    assert world.responses[-1].status == 500 and len(world.saves) == 2
    second(None)
    assert world.responses[-1].status == 200 and world.location.bindings("6001") == bindings
