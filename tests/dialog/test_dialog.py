"""RFC 3261 §12: how a dialog is made on each side, and what is sent and taken in it."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from b2bua.dialog.dialog import Dialog, contact_uri
from b2bua.observer import METHODS
from b2bua.sip.address import Address
from b2bua.sip.errors import MalformedValue, SipError
from b2bua.sip.message import Request, Response
from b2bua.sip.parser import parse_message
from b2bua.sip.response_to import response_to
from tests.sip.test_round_trips import addresses, properties

ROUTES = ("<sip:p1.example.com;lr>", "<sip:p2.example.com;lr>", "<sip:p3.example.com;lr>")
STRICT = "<sip:strict.example.com>"
OURS = "<sip:us@192.0.2.1>"


def invite(*more: tuple[str, str], method: str = "INVITE", cseq: int = 5, **changed: str) -> Request:
    headers = {
        "Via": "SIP/2.0/UDP 192.0.2.10;branch=z9hG4bK1",
        "From": '"Alice" <sip:6001@example.com>;tag=a',
        "To": "<sip:6002@example.com>",
        "Call-ID": "c1",
        "CSeq": f"{cseq} {method}",
        "Contact": "<sip:6001@192.0.2.10:5070>",
    } | {name.title(): value for name, value in changed.items()}
    lines = [(name, value) for name, value in headers.items() if value] + list(more)
    made = Request(method, "sip:6002@example.com", [], [])
    for name, value in lines:
        made.append(name, value)
    return made


def answer(
    request: Request, *more: tuple[str, str], tag: str = "b", contact: str = "<sip:6002@192.0.2.20>"
) -> Response:
    response = response_to(request, 200, tag=tag)
    for name, value in more:
        response.append(name, value)
    if contact:
        response.append("Contact", contact)
    return response


def as_server(*routes: str) -> Dialog:
    return Dialog.as_server(invite(*[("Record-Route", route) for route in routes]), "b", OURS)


def as_client(*routes: str) -> Dialog:
    ours = invite()
    dialog = Dialog.as_client(ours)
    dialog.establish(answer(ours, *[("Record-Route", route) for route in routes]))
    return dialog


# -- UAS (§12.1.1) ------------------------------------------------------------------------------------------------


def test_the_callees_dialog() -> None:
    dialog = as_server()
    assert dialog.key == ("c1", "b")
    assert (dialog.local_tag, dialog.remote_tag) == ("b", "a")
    assert (dialog.local, dialog.remote) == ("<sip:6002@example.com>", '"Alice" <sip:6001@example.com>')
    assert (dialog.local_cseq, dialog.remote_cseq) == (0, 5)
    assert (dialog.remote_target, dialog.contact) == ("sip:6001@192.0.2.10:5070", OURS)


def test_the_callees_route_set_stands_as_received() -> None:
    assert as_server(*ROUTES).route_set == list(ROUTES)
    in_one_line = Dialog.as_server(invite(("Record-Route", ", ".join(ROUTES))), "b", OURS)
    assert in_one_line.route_set == list(ROUTES)


@pytest.mark.parametrize("contact", ["", "*", "<tel:+15551234>", "<mailto:a@example.com>", "<sip:>", "nonsense"])
def test_without_a_usable_contact_there_is_no_dialog(contact: str) -> None:
    with pytest.raises(MalformedValue) as error:
        Dialog.as_server(invite(contact=contact), "b", OURS)
    assert error.value.status == 400


def test_a_secure_contact_is_one() -> None:
    assert contact_uri(invite(contact="<sips:6001@192.0.2.10>")) == "sips:6001@192.0.2.10"


# -- UAC (§12.1.2) ------------------------------------------------------------------------------------------------


def test_the_callers_dialog() -> None:
    ours = invite()
    dialog = Dialog.as_client(ours)
    assert (dialog.key, dialog.remote_tag) == (("c1", "a"), "")
    assert (dialog.local_cseq, dialog.remote_cseq) == (5, -1)
    assert dialog.remote_target == "sip:6002@example.com"
    dialog.establish(answer(ours))
    assert (dialog.remote_tag, dialog.remote_target) == ("b", "sip:6002@192.0.2.20")
    assert (dialog.local, dialog.remote) == ('"Alice" <sip:6001@example.com>', "<sip:6002@example.com>")


def test_the_callers_route_set_is_the_reverse_of_what_came() -> None:
    assert as_client(*ROUTES).route_set == list(ROUTES[::-1])


def test_the_answer_replaces_the_route_set_of_the_request() -> None:
    ours = invite(("Route", "<sip:outbound.example.com;lr>"))
    dialog = Dialog.as_client(ours)
    assert dialog.route_set == ["<sip:outbound.example.com;lr>"]
    dialog.establish(answer(ours))
    assert dialog.route_set == []


def test_an_answer_without_a_contact_leaves_the_target() -> None:
    ours = invite()
    dialog = Dialog.as_client(ours)
    dialog.establish(answer(ours, contact=""))
    assert dialog.remote_target == "sip:6002@example.com"


def test_a_second_early_dialog_replaces_the_first() -> None:
    ours = invite()
    dialog = Dialog.as_client(ours)
    dialog.establish(answer(ours, ("Record-Route", ROUTES[0]), tag="first"))
    assert dialog.make_request("INFO").to.tag == "first"
    dialog.establish(answer(ours, tag="second", contact="<sip:6002@192.0.2.21>"))
    made = dialog.make_request("INFO")
    assert (made.to.tag, made.uri, made.elements("Route")) == ("second", "sip:6002@192.0.2.21", [])


# -- requests inside (§12.2.1.1) ----------------------------------------------------------------------------------


@pytest.mark.parametrize("dialog", [as_server(*ROUTES), as_client(*ROUTES[::-1])], ids=["callee", "caller"])
def test_a_request_of_ours(dialog: Dialog) -> None:
    first, second = dialog.make_request("INFO"), dialog.make_request("BYE")
    assert second.cseq == first.cseq + 1 and second.cseq_method == "BYE"
    assert first.uri == dialog.remote_target
    assert first.elements("Route") == list(ROUTES)
    assert first.get("From") == f"{dialog.local};tag={dialog.local_tag}"
    assert first.get("To") == f"{dialog.remote};tag={dialog.remote_tag}"
    assert first.call_id == "c1" and first.get("Call-ID") == "c1"
    assert first.get("CSeq") == f"{first.cseq} INFO"
    first.insert_before("Via", "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK9")
    assert parse_message(first.encode()).call_id == "c1"


def test_an_ack_has_the_number_of_its_invite() -> None:
    dialog = as_client()
    ack = dialog.make_request("ACK", 5)
    assert (ack.cseq, ack.cseq_method) == (5, "ACK")
    assert dialog.make_request("BYE").cseq == 6


def test_the_first_request_of_a_callee_is_number_1() -> None:
    assert as_server().make_request("BYE").cseq == 1


def test_no_tag_towards_an_early_peer() -> None:
    assert Dialog.as_client(invite()).make_request("INVITE").get("To") == "<sip:6002@example.com>"


def test_requests_do_not_share_their_lines() -> None:
    dialog = as_server(*ROUTES)
    dialog.make_request("INFO").remove("Route")
    assert dialog.make_request("INFO").elements("Route") == list(ROUTES)


def test_a_strict_router_on_top() -> None:
    dialog = as_server(STRICT, ROUTES[1], ROUTES[2])
    made = dialog.make_request("BYE")
    assert made.uri == "sip:strict.example.com"
    assert made.elements("Route") == [ROUTES[1], ROUTES[2], "<sip:6001@192.0.2.10:5070>"]
    assert made.names.index("From") == 3  # Routes stand together


def test_a_strict_router_alone() -> None:
    made = as_server(STRICT).make_request("BYE")
    assert made.uri == "sip:strict.example.com"
    assert made.elements("Route") == ["<sip:6001@192.0.2.10:5070>"]


@properties
@given(st.lists(addresses().filter(lambda route: ";lr" not in str(route).lower()), min_size=1, max_size=3))
@example([Address('"a<sip:b>"', "sip:c@example.com")])
def test_any_route_set_reads_back(routes: list[Address]) -> None:
    """Whatever stands in the display names."""
    dialog = as_server(*map(str, routes))
    made = dialog.make_request("BYE")
    assert (made.uri, dialog.make_request("INFO").uri) == (routes[0].uri, routes[0].uri)
    assert made.elements("Route") == [*map(str, routes[1:]), "<sip:6001@192.0.2.10:5070>"]


def test_a_strict_router_behind_a_loose_one_is_not_our_business() -> None:
    made = as_server(ROUTES[0], STRICT).make_request("BYE")
    assert made.uri == "sip:6001@192.0.2.10:5070"
    assert made.elements("Route") == [ROUTES[0], STRICT]


# -- target refresh (§12.2.1.2, RFC 6141 §4) ----------------------------------------------------------------------


def test_a_new_contact_is_the_next_target() -> None:
    dialog = as_server(*ROUTES)
    dialog.make_request("INFO")
    dialog.refresh_target(invite(contact="<sip:6001@192.0.2.77>"))
    made = dialog.make_request("BYE")
    assert made.uri == "sip:6001@192.0.2.77"
    assert made.elements("Route") == list(ROUTES)  # the route set stays


def test_without_a_contact_the_target_stays() -> None:
    dialog = as_server()
    dialog.refresh_target(invite(contact=""))
    assert dialog.remote_target == "sip:6001@192.0.2.10:5070"


# -- order (§12.2.2) ----------------------------------------------------------------------------------------------


def test_order_by_cseq() -> None:
    dialog = as_server()
    for cseq, status in ((4, 500), (5, 482), (6, 0), (6, 482), (5, 500), (99, 0), (98, 500)):
        if not status:
            dialog.check(invite(cseq=cseq))
            assert dialog.remote_cseq == cseq
            continue
        before = dialog.remote_cseq
        with pytest.raises(SipError) as error:
            dialog.check(invite(cseq=cseq))
        assert (error.value.status, dialog.remote_cseq) == (status, before)


@pytest.mark.parametrize("method", sorted(METHODS))
def test_who_moves_the_target_needs_a_contact_that_can_be_one(method: str) -> None:
    """RFC 3261 §12.2, RFC 3311 §5.1, RFC 6665 §4.1.2; of any other request the Contact says nothing."""
    request = invite(method=method, cseq=6, contact="<mailto:a@example.com>")
    if method in ("INVITE", "UPDATE", "SUBSCRIBE", "NOTIFY"):
        with pytest.raises(MalformedValue):
            as_server().check(request)
    else:
        as_server().check(request)


def test_the_peers_first_request_may_have_any_number() -> None:
    dialog = as_client()
    dialog.check(invite(method="BYE", cseq=0))
    assert dialog.remote_cseq == 0


# -- From and To as sent ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "local"),
    [
        ("<sip:6001@example.com>;tag=a", "<sip:6001@example.com>"),
        ('"A; tag=b" <sip:6001@example.com>;tag=a', '"A; tag=b" <sip:6001@example.com>'),
        ("<sip:6001@example.com>;x=y;tag=a", "<sip:6001@example.com>;x=y"),
        ("<sip:6001@example.com>;tag=a;x=y", "<sip:6001@example.com>;x=y"),
        ("sip:6001@example.com;tag=a", "sip:6001@example.com"),
    ],
)
def test_the_tag_alone_is_taken_off(value: str, local: str) -> None:
    ours = invite()
    ours.replace("From", value)
    dialog = Dialog.as_client(ours)
    assert dialog.local == local
    made = dialog.make_request("INFO")
    assert made.from_.tag == "a" and made.from_.uri == "sip:6001@example.com"


@pytest.mark.parametrize("parameter", [" ; tag=a", ";TAG=a", ";tag = a"])
def test_a_tag_written_in_an_unusual_way(parameter: str) -> None:
    ours = invite()
    ours.replace("From", f"<sip:6001@example.com>{parameter}")
    made = Dialog.as_client(ours).make_request("INFO")
    assert made.from_.tag == "a" and made.from_.uri == "sip:6001@example.com"
    assert (made.get("From") or "").lower().count("tag") == 1
