"""What Session Manager writes into headers for itself reads back, and what it reads of phones is what they wrote."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from b2bua.session_manager.domain import Domain
from b2bua.session_manager.event_packages.dialog_event import DIALOG
from b2bua.session_manager.event_packages.package import event_value
from b2bua.session_manager.outbound import reg_id_of
from b2bua.session_manager.own_routes import OwnRouteReader
from b2bua.session_manager.registrar import without_expires
from b2bua.session_manager.sequences import Position
from b2bua.session_manager.tokens import CALLEE, CALLER, FlowToken, Tokens
from b2bua.sip.address import Address, parse_address, split_unquoted
from b2bua.sip.event_id import event_id
from tests.session_manager.test_registrar import World
from tests.sip.test_round_trips import addresses, displays, properties, token, uris
from tests.sip.test_round_trips_of_headers import blanks, call_ids, mixed_case
from tests.transaction.neighbours import FakeFlow, request

TOKENS = Tokens(b"k" * 32, "one")
DOMAIN = Domain("example.com")
DOMAIN.listens_on([("192.0.2.1", 5060)])
hosts = st.ip_addresses(v=4).map(str) | st.ip_addresses(v=6).map(str)
remotes = st.tuples(hosts, st.integers(1, 65535))
links = st.just("") | st.text("abc-_.09", min_size=1, max_size=10)


def route(user: str, *parameters: str) -> str:
    return f"<sip:{user}@192.0.2.1:5060{''.join(f';{one}' for one in ('lr', *parameters))}>"


@properties
@given(remotes, st.booleans(), st.sampled_from([CALLER, CALLEE]), st.booleans(), links, call_ids,
       st.lists(st.sampled_from(["transport=tcp", "x=y"]), max_size=1))  # fmt: skip
def test_a_flow_token_in_a_route(remote, reliable, direction, nat, link, call_id, parameters):
    flow = FakeFlow(reliable, remote=remote)
    user = TOKENS.flow(flow, call_id, direction, nat, link)
    own = OwnRouteReader(DOMAIN, TOKENS).read(
        request("BYE", call_id=call_id, more=(("Route", f"{route(user, *parameters)}, <sip:a@example.org;lr>"),))
    )
    assert own.first == FlowToken(direction, nat, flow.listener, remote, link)
    assert (own.count, own.texts, own.second, own.position) == (1, (user,), None, None)
    assert own.beyond is not None and own.beyond.host == "example.org"


positions = st.builds(
    Position, st.sampled_from(["o", "t"]), st.lists(links.filter(bool), max_size=3).map(tuple),
    st.lists(links.filter(bool), max_size=3).map(tuple), st.text(st.characters(exclude_categories=["Cs"]), max_size=10),
)  # fmt: skip


@properties
@given(positions, call_ids | call_ids.map("{}>x".format))
def test_a_position_in_a_route(position, came_as):
    user = TOKENS.position(position, came_as)
    own = OwnRouteReader(DOMAIN, TOKENS).read(request("INVITE", more=(("Route", route(user)),)))
    assert (own.count, own.position, own.came_as, own.first) == (1, position, came_as, None)


@properties
@given(st.sampled_from(["dialog", "dialog ", "dialog;x=y"]), st.none() | token, blanks, mixed_case)
def test_the_event_of_a_notify_has_the_id_of_its_subscribe(event, named, blank, cased):
    asked = event if named is None else f"{event};{blank}{cased('id')}={blank}{named}"
    told = event_value(DIALOG, request("SUBSCRIBE", more=(("Event", asked),)))
    assert told == (f"dialog;id={named}" if named is not None else "dialog")
    assert event_id(told) == event_id(asked) == named


INSTANCE = '+sip.instance="<urn:uuid:00000000-0000-1000-8000-000a95a0e128>"'


@properties
@given(st.integers(0, 12 * 10**9) | st.integers(2**31 - 3, 2**31 + 3), st.integers(0, 3), blanks, mixed_case, st.booleans())
def test_reg_id(number, zeros, blank, cased, first):
    """RFC 5626 §4.2: 1 to 2³¹ − 1."""
    text = f"{'0' * min(zeros, 10 - min(len(str(number)), 10))}{number}"
    parameters = [INSTANCE, f"{cased('reg-id')}{blank}={blank}{text}"]
    contact = parse_address(f"<sip:a@b>;{';'.join(parameters if first else reversed(parameters))}")
    assert reg_id_of(contact) == (number if number < 2**31 else 0)
    assert reg_id_of(parse_address(f"<sip:a@b>;reg-id={text}")) == 0


@properties
@given(addresses(), st.integers(0, 10**12), mixed_case)
def test_a_contact_without_its_expires_is_the_contact(address, seconds, cased):
    kept = [one for one in split_unquoted(address.parameters, ";")[1:] if one.partition("=")[0].lower() != "expires"]
    bare = Address(address.display, address.uri, "".join(f";{one}" for one in kept), address.tag)
    for value in (f"{bare};{cased('expires')}={seconds}", str(bare)):
        assert parse_address(without_expires(value)) == bare


@properties
@given(uris.filter(lambda uri: uri.scheme == "sip"), displays, st.integers(60, 3600), st.integers(0, 20))
def test_the_seconds_of_a_contact(uri, display, seconds, zeros):
    """Leading zeros are no other number (RFC 3261 §25.1, delta-seconds)."""
    world = World()
    uri = uri._replace(host="192.0.2.77", headers="", password="")
    contact = Address(display, str(uri), f";expires={'0' * zeros}{seconds}")
    response = world.register(str(contact))
    assert response is not None and response.status == 200
    listed = parse_address(response.elements("Contact")[0])
    assert (listed.display, listed.uri, listed.parameter("expires")) == (display, str(uri), str(seconds))
