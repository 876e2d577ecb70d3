"""RFC 4028 §5–§9: what is asked for, answered and agreed, as UAC and as UAS."""

from __future__ import annotations

from itertools import product

import pytest

from b2bua.dialog.session_terms import NOT_ALLOWED, REFRESHERS, SessionTerms, check_interval
from b2bua.sip.errors import SipError
from b2bua.sip.message import Message, Request, Response
from b2bua.sip.response_to import response_to
from tests.transaction.neighbours import request

HEADERS = ("Supported", "Require", "Session-Expires", "Min-SE")


def invite(*more: tuple[str, str], method: str = "INVITE") -> Request:
    return request(method, more=more)


def answered(status: int, *more: tuple[str, str]) -> Response:
    response = response_to(invite(), status)
    response.extend(more)
    return response


def said(message: Message) -> dict[str, str]:
    return {name: message.get(name) or "" for name in HEADERS if message.has(name)}


def asked(terms: SessionTerms) -> dict[str, str]:
    ours = invite()
    terms.ask(ours)
    return said(ours)


def answer(terms: SessionTerms, *more: tuple[str, str]) -> dict[str, str]:
    theirs = invite(*more)
    terms.check(theirs)
    response = response_to(theirs, 200)
    terms.answer(theirs, response)
    return said(response)


TIMER = ("Supported", "100rel, Timer")


# ---- as UAC


def test_the_first_request_leaves_the_refresher_open() -> None:
    assert asked(SessionTerms(1800, 90)) == {"Session-Expires": "1800"}


def test_a_minimum_of_our_own_is_said_where_it_is_more_than_min_se_means_by_itself() -> None:
    assert asked(SessionTerms(1800, 600)) == {"Session-Expires": "1800", "Min-SE": "600"}


@pytest.mark.parametrize(
    ("given", "interval", "ours", "negotiated"),
    [
        ((), 1800, True, False),
        ((("Session-Expires", "600;refresher=uac"),), 600, True, True),
        ((("Session-Expires", "600;refresher=uas"),), 600, False, True),
        ((("Session-Expires", "600"),), 600, True, True),
        ((("Session-Expires", "5;refresher=uac"),), 90, True, True),
        ((("Session-Expires", "never"),), 1800, True, False),
    ],
    ids=["silent", "uac", "uas", "no refresher", "too short", "malformed"],
)
def test_a_2xx_to_ours(given: tuple[tuple[str, str], ...], interval: int, ours: bool, negotiated: bool) -> None:
    """§7.2; without an answer about timers they are for our own benefit, and we refresh."""
    terms = SessionTerms(1800, 90)
    terms.accepted(answered(200, *given))
    assert (terms.interval, terms.ours, terms.negotiated) == (interval, ours, negotiated)


@pytest.mark.parametrize(("given", "says"), [("uac", "uac"), ("uas", "uas")])
def test_later_requests_keep_interval_and_role(given: str, says: str) -> None:
    """§7.4: the current interval, and whoever refreshes goes on to."""
    terms = SessionTerms(1800, 90)
    terms.accepted(answered(200, ("Session-Expires", f"600;refresher={given}")))
    assert asked(terms) == {"Session-Expires": f"600;refresher={says}"}


def test_422_makes_us_ask_for_more_and_say_min_se() -> None:
    """§7.3, §7.4: the largest of all."""
    terms = SessionTerms(1800, 90)
    assert terms.too_small(answered(422, ("Min-SE", "3600")))
    assert asked(terms) == {"Session-Expires": "3600", "Min-SE": "3600"}
    assert terms.too_small(answered(422, ("Min-SE", "4000")))
    assert asked(terms) == {"Session-Expires": "4000", "Min-SE": "4000"}


@pytest.mark.parametrize("given", [(), (("Min-SE", "1800"),), (("Min-SE", "90"),), (("Min-SE", "much"),)])
def test_422_that_names_nothing_larger_is_not_worth_a_try(given: tuple[tuple[str, str], ...]) -> None:
    assert not SessionTerms(1800, 90).too_small(answered(422, *given))


def test_min_se_of_the_way_to_the_first_2xx_is_forgotten_by_it() -> None:
    """§7.4: it is "cleared" once the dialog is established; what is learned in the dialog stays."""
    terms = SessionTerms(1800, 90)
    terms.too_small(answered(422, ("Min-SE", "3600")))
    terms.accepted(answered(200, ("Session-Expires", "3600;refresher=uac")))
    assert asked(terms) == {"Session-Expires": "3600;refresher=uac"}
    terms.too_small(answered(422, ("Min-SE", "5000")))
    terms.accepted(answered(200, ("Session-Expires", "5000;refresher=uac")))
    assert asked(terms) == {"Session-Expires": "5000;refresher=uac", "Min-SE": "5000"}


# ---- as UAS


def test_table_2_is_whole() -> None:
    assert set(REFRESHERS) | NOT_ALLOWED == set(product((False, True), ("", "uac", "uas")))


@pytest.mark.parametrize(
    ("supports", "wanted", "refresher", "requires"),
    [
        (False, "", "uas", False),
        (False, "uac", "uas", False),
        (False, "uas", "uas", False),
        (True, "", "uac", True),
        (True, "uac", "uac", True),
        (True, "uas", "uas", True),
    ],
)
def test_table_2(supports: bool, wanted: str, refresher: str, requires: bool) -> None:
    more = (TIMER,) if supports else ()
    terms = SessionTerms(1800, 90)
    value = f"600;refresher={wanted}" if wanted else "600"
    expected = {"Supported": "timer", "Session-Expires": f"600;refresher={refresher}"}
    assert answer(terms, *more, ("Session-Expires", value)) == expected | ({"Require": "timer"} if requires else {})
    assert (terms.ours, terms.interval, terms.negotiated) == (refresher == "uas", 600, True)


@pytest.mark.parametrize(
    ("wanted", "least", "given"),
    [
        ("90", "", 90), ("1800", "", 1800),
        ("86400", "", 1800),  # reduced to ours
        ("86400", "7200", 7200),  # but never below Min-SE
        ("3600", "7200", 3600),  # nor ever increased
        ("", "", 1800), ("", "3600", 3600),  # asked for by us
    ],
)  # fmt: skip
def test_the_interval_that_we_answer(wanted: str, least: str, given: int) -> None:
    more = [TIMER]
    more += [("Session-Expires", wanted)] if wanted else []
    more += [("Min-SE", least)] if least else []
    assert answer(SessionTerms(1800, 90), *more)["Session-Expires"] == f"{given};refresher=uac"


def test_a_peer_without_timers_hears_nothing_of_them() -> None:
    terms = SessionTerms(1800, 90)
    assert answer(terms) == {}
    assert (terms.ours, terms.interval, terms.negotiated) == (True, 1800, False)


def test_a_short_interval_that_a_proxy_wrote_is_neither_refused_nor_taken() -> None:
    """§8.1: refusing would fail the call of a phone that knows nothing of it; increasing is forbidden (§9)."""
    terms = SessionTerms(1800, 90)
    assert answer(terms, ("Session-Expires", "30")) == {}
    assert (terms.ours, terms.interval, terms.negotiated) == (True, 1800, False)


@pytest.mark.parametrize(("minimum", "says"), [(90, "90"), (600, "600")])
def test_422(minimum: int, says: str) -> None:
    with pytest.raises(SipError) as caught:
        check_interval(invite(TIMER, ("Session-Expires", str(minimum - 1))), minimum)
    assert (caught.value.status, caught.value.headers) == (422, (("Min-SE", says),))
    check_interval(invite(TIMER, ("Session-Expires", str(minimum))), minimum)


def test_422_never_says_less_than_90() -> None:
    """§5, §9; also where a test configures less."""
    with pytest.raises(SipError) as caught:
        check_interval(invite(TIMER, ("Session-Expires", "1")), 2)
    assert caught.value.headers == (("Min-SE", "90"),)


def test_min_se_of_the_peers_requests_stands_in_ours() -> None:
    """§7.4."""
    terms = SessionTerms(1800, 90)
    answer(terms, TIMER, ("Session-Expires", "2000;refresher=uas"), ("Min-SE", "2000"))
    assert asked(terms) == {"Session-Expires": "2000;refresher=uac", "Min-SE": "2000"}


# ---- both


def test_update_is_known_from_allow() -> None:
    terms = SessionTerms(1800, 90)
    terms.accepted(answered(200, ("Allow", "INVITE, ACK, UPDATE")))
    assert terms.updates
    terms.accepted(answered(200))
    assert terms.updates  # it says nothing new
    terms.accepted(answered(200, ("Allow", "INVITE, ACK, BYE")))
    assert not terms.updates
