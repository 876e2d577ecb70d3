"""Every reader of a header or a body, as a server would ask it of a message: for bytes that nobody meant to be read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from b2bua.feature_server.diversion import Attempt, add_history
from b2bua.session_manager.domain import Domain
from b2bua.session_manager.event_packages.dialog_event import DIALOG
from b2bua.session_manager.event_packages.package import event_value
from b2bua.session_manager.outbound import reg_id_of
from b2bua.session_manager.own_routes import OwnRouteReader
from b2bua.session_manager.registrar import without_expires
from b2bua.session_manager.tokens import Tokens
from b2bua.sip.address import parse_address, split_parameters
from b2bua.sip.codecs import agreed_codecs
from b2bua.sip.dialog_info import parse_dialog_info
from b2bua.sip.digest import parse_challenge, parse_credentials
from b2bua.sip.event_id import event_id
from b2bua.sip.feature_name import feature_name
from b2bua.sip.feature_status import parse_feature_status
from b2bua.sip.header_lines import address_in, cseq_in, read_cseq, read_dialog, read_integer
from b2bua.sip.max_breadth import breadth_of, put_breadth
from b2bua.sip.message import Message, Request, Response
from b2bua.sip.message_summary import parse_message_summary
from b2bua.sip.next_hop import named_host
from b2bua.sip.pidf import parse_pidf
from b2bua.sip.privacy import privacy_levels
from b2bua.sip.proxy_answer import marked, round_of, rounds
from b2bua.sip.rack import rack_of
from b2bua.sip.refer_to import refer_to_of
from b2bua.sip.replaces import parse_replaces
from b2bua.sip.retry_after import retry_after
from b2bua.sip.rseq import rseq_of
from b2bua.sip.sdp import (
    first_streams,
    holds,
    legal_answer,
    parse_origin,
    parse_streams,
    protocol_of,
    split_origin,
    with_direction,
    with_more_streams,
)
from b2bua.sip.served_user import who_is_served
from b2bua.sip.session_expires import session_expires
from b2bua.sip.subscription_state import subscription_state
from b2bua.sip.uri import is_address, is_sips, parse_uri, split_host_port
from b2bua.sip.via import parse_via, read_via
from b2bua.sip.watched_dialog import parse_watched_dialog
from b2bua.sip.xml_text import content, local_name, read_xml, xml_text

_DOMAIN = Domain("example.com")
_DOMAIN.listens_on([("192.0.2.1", 5060)])
_ROUTES = OwnRouteReader(_DOMAIN, Tokens(b"k" * 32))


def values(message: Message, name: str) -> list[str]:
    """Those of each line, whether or not commas part anything."""
    return message.get_all(name)


def as_request(message: Message) -> Request:
    return message if isinstance(message, Request) else Request("NOTIFY", "sip:a@b", message.names[:], message.lines[:])


def as_response(message: Message, status: int) -> Response:
    return Response(status, "", message.names[:], message.lines[:])


def told(message: Message) -> Request:
    """With a history: what stood there is read, and gone on with."""
    invite = as_request(message).copy()
    add_history(invite, invite.uri, (Attempt("sip:a@b", 1, 0, 486),), Attempt("sip:c@d", 2, 1))
    return invite


GETTERS: tuple[Callable[[Message], Any], ...] = (
    lambda message: (message.cseq, message.cseq_method, message.call_id),
    lambda message: message.from_,
    lambda message: message.to,
    lambda message: message.to.parsed_uri(),
    lambda message: [message.to.parameter("x"), message.from_.parameter("expires")],
    lambda message: message.top_via.response_address(),
    lambda message: message.top_via.with_source("192.0.2.1", 5060),
    lambda message: message.contact(),
    lambda message: [parse_address(value).parsed_uri() for value in message.elements("Contact")],
    lambda message: [parse_via(value) for value in message.elements("Via")],
    lambda message: message.integer("Max-Forwards"),
    lambda message: message.tokens("Allow"),
    lambda message: parse_credentials(message.get("Authorization") or ""),
    lambda message: parse_challenge(message.get("Authorization") or ""),
    lambda message: message.copy().parsed_uri() if isinstance(message, Request) else message.without_top_via(),
    lambda message: message.copy().remove_first("Via") if isinstance(message, Request) else None,
    lambda message: holds(parse_streams(message.body)),
    lambda message: (parse_origin(message.body), with_direction(message.body, "inactive")),
    lambda message: parse_dialog_info(message.body),
    # ---- lines as they came
    lambda message: [address_in(line) for line in message.lines if line.startswith("Contact")],
    lambda message: [cseq_in(line) == read_cseq(line) for line in message.lines if line.startswith("CSeq")],
    lambda message: [read_integer(line) for line in message.lines],
    lambda message: [read_via(line) for line in message.lines],
    lambda message: [read_dialog(line, line, line) for line in message.lines],
    # ---- values of headers
    lambda message: [parse_challenge(value) for value in values(message, "WWW-Authenticate")],
    lambda message: [round_of(value) for value in values(message, "WWW-Authenticate")],
    lambda message: [round_of(marked(value, 2)) for value in values(message, "WWW-Authenticate")],
    lambda message: rounds(message),
    lambda message: rack_of(as_request(message)),
    lambda message: rseq_of(as_response(message, 183)),
    lambda message: refer_to_of(as_request(message)),
    lambda message: [parse_replaces(value) for value in values(message, "Replaces")],
    lambda message: [parse_watched_dialog(value) for value in values(message, "Event")],
    lambda message: [event_id(value) for value in values(message, "Event")],
    lambda message: event_value(DIALOG, as_request(message)),
    lambda message: subscription_state(as_request(message)),
    lambda message: session_expires(message),
    lambda message: retry_after(message),
    lambda message: privacy_levels(message),
    lambda message: who_is_served(message),
    lambda message: put_breadth(as_request(message).copy(), as_request(message)),
    lambda message: breadth_of(as_request(message)),
    lambda message: [reg_id_of(parse_address(value)) for value in message.elements("Contact")],
    lambda message: [without_expires(value) for value in message.elements("Contact")],
    lambda message: [split_parameters(value) for value in values(message, "Event")],
    lambda message: _ROUTES.read(as_request(message)),
    told,
    # ---- URIs
    lambda message: feature_name(parse_uri(as_request(message).uri)),
    lambda message: named_host(parse_uri(as_request(message).uri)),
    lambda message: [split_host_port(value) for value in (*message.lines, as_request(message).uri)],
    lambda message: [(is_sips(value), is_address(value)) for value in message.lines],
    # ---- bodies
    lambda message: parse_pidf(message.body),
    lambda message: parse_feature_status(message.body),
    lambda message: parse_message_summary(message.body),
    lambda message: protocol_of(message.body),
    lambda message: split_origin(message.body),
    lambda message: legal_answer(message.body, message.body),
    lambda message: parse_streams(message.body) and with_more_streams(first_streams(message.body, 1), message.body),
    lambda message: agreed_codecs(message.body, message.body),
    lambda message: [(local_name(one), xml_text(content(one))) for one in read_xml(message.body, "presence")],
)
