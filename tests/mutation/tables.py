"""The tables that decide something, what could be wrong with each, and the tests that must notice.

A figure of RFC 3261 §17 has a checker of its own (tests/transaction/figure.py); all others are here.
"""

from __future__ import annotations

import importlib
from collections.abc import Hashable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from b2bua.observer import METHODS
from b2bua.sip.reason import REASON
from b2bua.transaction import server_invite
from b2bua.transaction.machine import State

FAILURES: Final = tuple(status for status in REASON if status >= 300)
NOT_LOST: Final = tuple(status for status in FAILURES if status not in (408, 481))
"""Without those by which a leg is over, whatever other tables say of them."""
NOT_503: Final = tuple(status for status in FAILURES if status != 503)
"""Of several responses a 503 is the last choice, whatever the table says."""
REFUSALS: Final = tuple(status for status in FAILURES if status not in (401, 407))
"""Without those that the phone answers with credentials."""
HEADERS: Final = ("Subject", "Reason", "Date", "Organization", "Alert-Info", "Call-Info", "P-Asserted-Identity", "X-Own")
"""Some that go end to end through a B2BUA."""


class Table(NamedTuple):
    """One table and who looks at it."""

    module: str
    name: str
    tests: tuple[str, ...]
    """Files, or files::tests, which are to fail; as few as know the table."""
    others: tuple[Hashable, ...] = ()
    """Members that a set or tuple has not, or values that a mapping has nowhere: the ones to try."""
    keys: tuple[Hashable, ...] = ()
    """Keys that a mapping has not."""
    default: object = None
    """What a missing key of a mapping stands for: an entry that says the same may go."""

    @property
    def identity(self) -> str:
        return f"{self.module.rpartition('.')[2]}.{self.name}"

    def value(self) -> Any:
        return getattr(importlib.import_module(self.module), self.name)


class Mutant(NamedTuple):
    """What is wrong with it, and the table in its place."""

    what: str
    table: Any


def mutants(table: Table) -> Iterator[Mutant]:
    """The table with one thing wrong: a member or an entry gone, another there, an entry that says something else."""
    value = table.value()
    if isinstance(value, Mapping):
        yield from _of_mapping(table, dict(value))
    elif isinstance(value, tuple):
        yield from _of_tuple(table, value)
    else:
        yield from _of_set(table, frozenset(value))


def _of_set(table: Table, members: frozenset[Any]) -> Iterator[Mutant]:
    for member in sorted(members, key=repr):
        yield Mutant(f"without {member!r}", members - {member})
    for other in table.others:
        if other not in members:
            yield Mutant(f"with {other!r}", members | {other})


def _of_tuple(table: Table, members: tuple[Any, ...]) -> Iterator[Mutant]:
    for index, member in enumerate(members):
        yield Mutant(f"without {member!r}", (*members[:index], *members[index + 1 :]))
    for other in table.others:
        if other not in members:
            yield Mutant(f"with {other!r}", (*members, other))


def _of_mapping(table: Table, entries: dict[Any, Any]) -> Iterator[Mutant]:
    for key, value in entries.items():
        if value != table.default or table.default is None:
            yield Mutant(f"without {key!r}", {other: entries[other] for other in entries if other != key})
        for changed in _changed(value, [*entries.values(), *table.others]):
            yield Mutant(f"{key!r} → {changed!r}", {**entries, key: changed})
    for key in table.keys:
        if key not in entries:
            for value in dict.fromkeys([*entries.values(), *table.others]):
                if value != table.default:
                    yield Mutant(f"{key!r} → {value!r}, not there before", {**entries, key: value})


def _changed(value: Any, known: list[Any]) -> Iterator[Any]:
    """Other values of an entry: of a row, the row with one field changed."""
    if isinstance(value, Mapping):
        for key, entry in value.items():
            yield {other: value[other] for other in value if other != key}
            inner = [other for each in known for other in each.values()]
            for changed in dict.fromkeys(other for other in inner if other != entry):
                yield {**value, key: changed}
        return
    if not isinstance(value, tuple):
        yield from dict.fromkeys(other for other in known if other != value)
        return
    for index, name in enumerate(type(value)._fields):  # type: ignore[attr-defined]  # a named tuple
        for field in dict.fromkeys(other[index] for other in known):
            if field != value[index]:
                yield value._replace(**{name: field})  # type: ignore[attr-defined]


def _reliable() -> tuple[Hashable, ...]:
    from b2bua.dialog.reliable_provisional import IGNORED

    return tuple(sorted(IGNORED))


def _session_timer() -> tuple[Hashable, ...]:
    from b2bua.dialog.session_timer import IGNORED

    return tuple(sorted(IGNORED))


def _awaited() -> tuple[Hashable, ...]:
    from b2bua.dialog.reliable_provisional import State as Reliable

    return tuple(Reliable)


POLICY: Final = ("tests/session_manager/test_challenge_policy.py",)
AUTHENTICATOR: Final = ("tests/session_manager/test_authenticator.py",)
SM: Final = "b2bua.session_manager"
CM: Final = "b2bua.feature_server"
TR: Final = "b2bua.transaction"
ANSWER: Final = "tests/transaction/test_answer_flow.py"
SERVER: Final = (State.TRYING, *server_invite.STATES)
"""States of a server transaction."""

ASKED: Final = tuple(sorted(METHODS - {"ACK", "CANCEL", "NOTIFY"}))
"""Methods that may be challenged at all: an entry for another says nothing, NEVER stands above it."""
TRUNKS: Final = "tests/scenarios/test_trunks.py"
IDENTITY: Final = ("tests/session_manager/test_identity.py",)
PRIVACY: Final = ("tests/feature_server/test_privacy.py",)
DIVERSION: Final = ("tests/feature_server/test_diversion.py",)
LEG: Final = "tests/feature_server/test_leg_session.py"

TABLES: Final = (
    Table("b2bua.dialog.session_timer", "TABLE", ("tests/dialog/test_session_timer.py",), keys=_session_timer()),
    Table("b2bua.dialog.reliable_provisional", "TABLE", ("tests/dialog/test_reliable_provisional.py",), keys=_reliable()),
    Table("b2bua.feature_server.own_offer", "LOST", ("tests/scenarios/test_music_on_hold.py",)),
    Table("b2bua.dialog.offer_answer", "ANSWERS", ("tests/dialog/test_offer_answer.py",)),
    Table("b2bua.dialog.offer_answer", "OFFERS", ("tests/dialog/test_offer_answer.py",), ("recvonly", "inactive")),
    Table("b2bua.dialog.session_terms", "REFRESHERS", ("tests/dialog/test_session_terms.py",)),
    Table("b2bua.dialog.session_terms", "NOT_ALLOWED", ("tests/dialog/test_session_terms.py",)),
    Table("b2bua.dialog.session_terms", "REFRESHING", (LEG,), tuple(sorted(METHODS))),
    Table("b2bua.sip.sdp", "_BELOW", ("tests/sip/test_sdp.py",)),
    Table(f"{SM}.challenge_policy", "OUT_OF_DIALOG", POLICY, (0,), ASKED, 407),
    # A re-INVITE has its own setting.
    Table(f"{SM}.challenge_policy", "IN_DIALOG", POLICY, (), tuple(each for each in ASKED if each != "INVITE"), 407),
    Table(f"{SM}.challenge_policy", "AS_SERVER", POLICY, (407,), tuple(each for each in ASKED if each != "INVITE"), 0),
    Table(f"{SM}.challenge_policy", "NEVER", POLICY, tuple(sorted(METHODS))),
    Table(f"{SM}.challenge_policy", "_STATUS", POLICY),
    Table(
        f"{SM}.event_packages.phone_state", "_BEFORE_RINGING", ("tests/session_manager/test_phone_state.py",), ("early",),
    ),
    Table("b2bua.sip.profiles", "SERVERS", ("tests/config/test_settings.py",), ("partial",)),
    Table(f"{SM}.authenticator", "_CREDENTIALS_IN", AUTHENTICATOR),
    Table(f"{SM}.authenticator", "_OTHER", AUTHENTICATOR),
    Table(f"{SM}.authenticator", "_CHALLENGE_IN", AUTHENTICATOR),
    Table(f"{SM}.subscription", "ENDING", ("tests/session_manager/test_notifier.py",), FAILURES),
    Table("b2bua.sip.best_response", "_PREFERRED", ("tests/sip/test_best_response.py",), NOT_503),
    Table("b2bua.sip.next_hop", "_SERVICES", ("tests/sip/test_next_hop.py",)),
    Table("b2bua.sip.next_hop", "_LABELS", ("tests/sip/test_next_hop.py",)),
    Table(f"{SM}.trunks", "FROM_TRUNKS", (TRUNKS,), ("REGISTER", "SUBSCRIBE", "PUBLISH", "REFER")),
    Table(f"{SM}.trunks", "TO_TRUNKS", (TRUNKS,)),
    Table(
        f"{SM}.sequencing", "SEQUENCED",
        ("tests/scenarios/test_messages.py::test_it_passes_communication_manager",
         "tests/scenarios/test_sequencing.py::test_a_foreign_server_alone"),
    ),
    Table(
        f"{SM}.routing_policy", "NEXT_ON",
        ("tests/scenarios/test_routing.py::test_the_next_one_when_one_cannot",
         "tests/scenarios/test_routing.py::test_what_is_said_of_the_callee_is_the_answer"), (404, 480, 486, 501, 603),
    ),
    Table(f"{SM}.header_rule", "OWNED", ("tests/session_manager/test_header_rule.py",), ("User-Agent", "Subject", "Reason")),
    Table("b2bua.sip.flow", "SECURE", ("tests/session_manager/test_screening.py",), ("udp", "tcp", "ws")),
    Table(f"{SM}.screening", "SUPPORTED", ("tests/session_manager/test_screening.py",), ("100rel", "timer", "gruu")),
    Table(f"{SM}.screening", "_NAMING_TARGET", ("tests/session_manager/test_screening.py",), tuple(sorted(METHODS))),
    Table(f"{SM}.identity", "ASSERTED", IDENTITY),
    Table(f"{SM}.identity", "_NAMELESS", IDENTITY, tuple(sorted(METHODS - {"ACK"}))),
    Table(f"{SM}.identity", "_HIDING", IDENTITY, ("session", "critical", "history")),
    Table(f"{CM}.privacy", "_OURS", PRIVACY, ("id", "session")),
    Table(f"{CM}.privacy", "_KEPT", PRIVACY, ("session", "history")),
    Table(f"{CM}.privacy", "_TELLING", PRIVACY, ("Reason", "Warning")),
    Table("b2bua.session_manager.admission", "_NEW", ("tests/session_manager/test_admission.py",), tuple(sorted(METHODS))),
    Table(f"{CM}.publication", "FINAL_FAILURES", ("tests/feature_server/test_publication.py",), FAILURES),
    Table(f"{CM}.leg_session", "LOST", (LEG,), FAILURES),
    Table(f"{CM}.leg_session", "ALIVE", (LEG,), NOT_LOST),
    Table(f"{CM}.leg_session", "NO_UPDATE", (LEG,), NOT_LOST),
    Table(f"{CM}.diversion", "_REASONS", DIVERSION),
    Table(f"{CM}.diversion", "_HIDDEN", DIVERSION, ("id", "user", "critical")),
    Table(f"{CM}.relay", "RELAYED", ("tests/feature_server/test_relay.py",), tuple(sorted(METHODS))),
    Table(f"{CM}.carried", "_OF_ONE_LEG", ("tests/feature_server/test_carried.py",), HEADERS),
    Table(f"{CM}.b2bua", "SUPPORTED", ("tests/feature_server/test_b2bua.py",), ("100rel", "path")),
    Table("plugins.communication_manager.feature_status", "SHOWN", ("tests/scenarios/test_feature_status.py",)),
    Table("plugins.communication_manager.lamps", "_STATES", ("tests/plugins/test_lamps.py",)),
    Table("plugins.communication_manager.hold", "_OFFERING", ("tests/plugins/test_hold.py",), ("BYE", "INFO", "MESSAGE")),
    Table("plugins.communication_manager.hold", "_ANSWERING", ("tests/plugins/test_hold.py",), ("BYE", "INFO", "MESSAGE")),
    Table(f"{TR}.server", "_UNANSWERED", (ANSWER,), SERVER),
    Table(f"{TR}.server", "_SPEAKING", (ANSWER,), SERVER),
    # After a final response there is no request any more that could be cancelled, or sent another way.
    Table(f"{TR}.client_invite", "_UNANSWERED", ("tests/transaction/test_client_invite.py",)),
    Table(f"{TR}.flow_failure", "_UNHEARD", ("tests/transaction/test_layer.py",), (State.PROCEEDING,)),
    # What is over is not found, and an ACK in Proceeding is dropped either way.
    Table(f"{TR}.layer", "_FAILED", ("tests/transaction/test_server_invite.py",), (State.ACCEPTED,)),
    Table(f"{TR}.layer", "_CHALLENGES", ("tests/transaction/test_layer.py",), (200, 402, 403, 404, 406, 408, 486, 503)),
    Table("b2bua.dialog.dialog", "TARGET_REFRESH", ("tests/dialog/test_dialog.py",), tuple(sorted(METHODS))),
    Table("b2bua.dialog.credentials", "KNOWN", ("tests/dialog/test_credentials.py",)),
    Table("b2bua.dialog.reliable_provisional", "_AWAITING", ("tests/dialog/test_reliable_provisional.py",), _awaited()),
    Table(f"{SM}.open_invites", "_OVER", ("tests/session_manager/test_open_invites.py",), server_invite.STATES),
    Table(f"{SM}.open_invites", "_ANSWERED", ("tests/session_manager/test_open_invites.py",), server_invite.STATES),
    Table(f"{SM}.elsewhere", "KNOWN", ("tests/session_manager/test_elsewhere.py",), (200, 404, 408, 481, 486, 491, 503)),
    Table(f"{SM}.location", "_NO_NEW_WAY", ("tests/session_manager/test_location.py",), ("tcp", "tls")),
    Table("b2bua.sip.flow", "WEB", ("tests/session_manager/test_location.py", "tests/transport/test_listener_set.py"),
          ("udp", "tcp", "tls")),
    Table(f"{SM}.domain", "_UNSPECIFIED", ("tests/session_manager/test_domain.py",), ("127.0.0.1", "::1")),
    Table("b2bua.transport.address", "WILDCARDS", ("tests/transport/test_listener_set.py", "tests/transport/test_udp.py"),
          ("127.0.0.1", "::1")),
    Table(f"{SM}.event_packages.presence", "_DIALLING", ("tests/session_manager/test_presence.py",), ("terminated",)),
    Table(f"{SM}.event_packages.reg", "_OF_3261", ("tests/session_manager/test_reg.py",),
          ("+sip.instance", "reg-id")),
    Table(f"{SM}.source_limit", "_LOOPBACK", ("tests/session_manager/test_source_limit.py",), ("192.", "::ffff:")),
    Table(f"{SM}.challenge_policy", "REINVITE", POLICY, ("sometimes",)),
    Table(f"{SM}.header_rule", "ACTIONS", ("tests/session_manager/test_header_rule.py",), ("drop",)),
    Table(f"{SM}.time_range", "DAYS", ("tests/session_manager/test_time_range.py",), ("day",)),
    # What no SIP URI is, is read as one whole: there is nothing to take out of it.
    Table("b2bua.sip.refer_to", "_SCHEMES", ("tests/sip/test_refer_to.py",)),
    Table("b2bua.sip.next_hop", "_NOWHERE", ("tests/sip/test_next_hop.py",), (".com", ".net")),
    Table("b2bua.sip.dialog_info", "STATES", ("tests/sip/test_dialog_info.py",), ("calling",)),
    Table("b2bua.sip.dialog_info", "_EVENTS", ("tests/sip/test_dialog_info.py",), ("removed",)),
    Table("b2bua.transport.dns_client", "_TYPES", ("tests/transport/test_dns_client.py",)),
    Table("b2bua.transport.frame_boundary", "_LONGER", ("tests/transport/test_frame_boundary.py",)),
    Table("b2bua.sip.pidf", "ACTIVITIES", ("tests/sip/test_pidf.py",), ("humming",)),
    Table("b2bua.sip.sdp", "DIRECTIONS", ("tests/sip/test_sdp.py",), ("ptime:20", "rtpmap:0 PCMU/8000")),
    Table("b2bua.sip.digest_algorithms", "STRENGTH", ("tests/sip/test_digest_algorithms.py",), ("SHA-1",)),
    # No code begins in another way, so none is found.
    Table(f"{CM}.feature_codes", "FIRST", ("tests/scenarios/test_feature_codes.py",)),
    Table(f"{CM}.feature_faults", "BUILT_IN", ("tests/feature_server/test_feature_faults.py",), ("lose",)),
    Table("plugins.communication_manager.do_not_disturb", "_WORDS", ("tests/plugins/test_settings.py",), ("yes",)),
    Table("plugins.communication_manager.forwarding", "_FOLLOWED", ("tests/plugins/test_settings.py",), ("some",)),
    Table("b2bua.phone.call", "ENDING", ("tests/phone/test_call_hold.py",), REFUSALS),
    # What the call itself does not know it refuses, too.
    Table("b2bua.phone.phone", "IN_DIALOG", ("tests/phone/test_call_hold.py",)),
    Table("b2bua.phone.subscription", "GONE", ("tests/phone/test_subscription.py",), REFUSALS),
    Table("b2bua.phone.subscription", "RESUBSCRIBE", ("tests/phone/test_subscription.py",)),
)
