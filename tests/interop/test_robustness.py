"""Whatever comes, the server answers as it should or counts it, and serves the next phone."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.interop.lab import Lab
from tests.interop.raw import Raw, again, text
from tests.interop.script import Callee, Caller
from tests.interop.server import DOMAIN, Server, wait_until
from tests.interop.wire import Message, lamp

HOST = "127.0.0.53"

PARSE_ERRORS = "b2bua_parse_errors_total"
DROPPED = "b2bua_messages_dropped_total"


@pytest.fixture
def raw(server: Server) -> Iterator[Raw]:
    made = Raw(server, server.next_user())
    yield made
    made.close()


def options(raw: Raw, **changed: str) -> str:
    """A proper OPTIONS with some headers replaced; "" takes one out."""
    lines = raw.lines("OPTIONS")
    for name, value in changed.items():
        lines[name.replace("_", "-")] = value
    return text({name: value for name, value in lines.items() if value})


def test_a_proper_request_is_answered(raw: Raw) -> None:
    """The measure for all that follows."""
    assert raw.answer(options(raw)).status == 200


# ---- what cannot be answered is counted

JUNK: dict[str, bytes] = {
    "no SIP": b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n",
    "noise": bytes(range(256)) * 4,
    "start line alone": b"INVITE sip:6001@example.com SIP/2.0",
    "no Via": b"OPTIONS sip:example.com SIP/2.0\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCSeq: 1 OPTIONS\r\n\r\n",
    "bare line feeds": b"OPTIONS sip:example.com SIP/2.0\nVia: SIP/2.0/UDP 127.0.0.53:9;branch=z9hG4bK1\n\n",
    "NUL": b"OPTIONS sip:example.com SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.53;branch=z9hG4bK\0\r\n\r\n",
    "status 999": b"SIP/2.0 999 Beyond\r\nVia: SIP/2.0/UDP 127.0.0.53;branch=z9hG4bK1\r\n\r\n",
    "response without Via": b"SIP/2.0 200 OK\r\nCSeq: 1 OPTIONS\r\n\r\n",
    "1,000 headers": b"OPTIONS sip:example.com SIP/2.0\r\n" + b"X-Many: 1\r\n" * 1000 + b"\r\n",
    "64 KB of one header": b"OPTIONS sip:example.com SIP/2.0\r\nX-Long: " + b"x" * 64_000,
}


@pytest.mark.parametrize("data", JUNK.values(), ids=JUNK.keys())
def test_junk_is_counted_and_dropped(raw: Raw, server: Server, data: bytes) -> None:
    errors, dropped = server.metric(PARSE_ERRORS), server.metric(DROPPED)
    raw.send(data)
    wait_until("counted", lambda: server.metric(PARSE_ERRORS) == errors + 1)
    assert server.metric(DROPPED) == dropped + 1
    assert raw.answer(options(raw)).status == 200, "nothing else was sent to us in between"


@pytest.mark.parametrize("data", [b"\r\n\r\n", b"\r\n", b"\0\0\0\0", b"\0"])
def test_keep_alives_are_no_errors(raw: Raw, server: Server, data: bytes) -> None:
    errors = server.metric(PARSE_ERRORS)
    dropped = server.metric(DROPPED, reason="keep-alive")
    raw.send(data)
    wait_until("counted", lambda: server.metric(DROPPED, reason="keep-alive") == dropped + 1)
    assert server.metric(PARSE_ERRORS) == errors


# ---- what can be answered is answered

BENT: dict[str, tuple[int, Callable[[Raw], str | bytes]]] = {
    "truncated in the headers": (400, lambda raw: options(raw)[:-4]),
    "body shorter than Content-Length": (400, lambda raw: options(raw, Content_Length="400")),
    "two Content-Lengths": (400, lambda raw: options(raw).replace("CSeq:", "Content-Length: 3\r\nCSeq:")),
    "Content-Length no number": (400, lambda raw: options(raw, Content_Length="many")),
    "negative Content-Length": (400, lambda raw: options(raw, Content_Length="-1")),
    "two Call-IDs": (400, lambda raw: options(raw).replace("CSeq:", "Call-ID: other\r\nCSeq:")),
    "two Froms": (400, lambda raw: options(raw).replace("CSeq:", "From: <sip:x@example.com>;tag=2\r\nCSeq:")),
    "no CSeq": (400, lambda raw: options(raw, CSeq="")),
    "no Call-ID": (400, lambda raw: options(raw, Call_ID="")),
    "no From": (400, lambda raw: options(raw, From="")),
    "no To": (400, lambda raw: options(raw, To="")),
    "CSeq of another method": (400, lambda raw: options(raw, CSeq="1 INVITE")),
    "CSeq beyond 31 bits": (400, lambda raw: options(raw, CSeq="4294967296 OPTIONS")),
    "CSeq no number": (400, lambda raw: options(raw, CSeq="one OPTIONS")),
    "a line that is no header": (400, lambda raw: options(raw).replace("CSeq:", "no header at all\r\nCSeq:")),
    "broken To": (400, lambda raw: options(raw, To="<sip:6001@example.com")),
    "SIP/3.0": (505, lambda raw: options(raw).replace("SIP/2.0", "SIP/3.0", 1)),
    "scheme tel": (416, lambda raw: options(raw).replace(f"sip:{DOMAIN} SIP", "tel:+15551234 SIP", 1)),
    "Max-Forwards 0": (483, lambda raw: text(raw.lines("INVITE", f"sip:6002@{DOMAIN}") | {"Max-Forwards": "0"})),
    "Proxy-Require": (420, lambda raw: options(raw, Proxy_Require="teleportation")),
    "To tag without a Route of ours": (481, lambda raw: text(raw.lines("BYE") | {"To": f"<sip:6002@{DOMAIN}>;tag=x"})),
    "CANCEL of nothing": (481, lambda raw: text(raw.lines("CANCEL", f"sip:6002@{DOMAIN}"))),
}  # fmt: skip


@pytest.mark.parametrize(("status", "make"), BENT.values(), ids=BENT.keys())
def test_bent_requests_get_the_right_answer(raw: Raw, status: int, make: Callable[[Raw], str | bytes]) -> None:
    answer = raw.answer(make(raw))
    assert answer.status == status, answer.start
    if status == 420:
        assert answer.get("Unsupported") == "teleportation"
    assert raw.answer(options(raw)).status == 200


def test_undecodable_bytes_are_carried(raw: Raw, server: Server) -> None:
    """Bad UTF-8 in a display name is no reason to refuse (RFC 4475 has such); the trace shows U+FFFD."""
    data = options(raw).encode().replace(b"From: ", b'From: "caf\xe9\xff" ')
    assert raw.answer(data).status == 200
    (asked, *_) = server.hops(f"user={raw.user}")
    assert asked.message.get("From").startswith('"caf\ufffd\ufffd"')


def test_large_headers(raw: Raw) -> None:
    """60 KB in one unknown header: legal, and answered."""
    assert raw.answer(options(raw, X_Large="x" * 60_000)).status == 200


def test_a_stray_response_and_a_stray_ack_are_dropped(raw: Raw, server: Server) -> None:
    lines = raw.lines("OPTIONS")
    stray = {"": "SIP/2.0 200 OK", **{name: value for name, value in lines.items() if name}}
    for data, reason in ((text(stray), "stray response"), (text(raw.lines("ACK", f"sip:6002@{DOMAIN}")), "stray ACK")):
        before = server.metric(DROPPED, reason=reason)
        raw.send(data.encode())
        wait_until(reason, lambda reason=reason, before=before: server.metric(DROPPED, reason=reason) == before + 1)  # type: ignore[misc]  # bound at once


# ---- on behalf of others


def signed(
    raw: Raw, method: str, uri: str, to: str = "", body: str = "", content_type: str = "", **headers: str
) -> Message:
    """A request, its challenge, and the final answer to the same with credentials."""
    lines = raw.lines(method, uri, to) | {name.replace("_", "-"): value for name, value in headers.items()}
    challenge = raw.answer(text(lines, body, content_type))
    assert challenge.status in (401, 407), challenge.start
    if method == "INVITE":
        raw.send(text(_ack_of(lines, challenge)).encode())
    return raw.answer(text(again(raw, lines, challenge), body, content_type))


def _ack_of(lines: dict[str, str], answer: Message) -> dict[str, str]:
    number = lines["CSeq"].split()[0]
    kept = {name: lines[name] for name in ("Via", "From", "Call-ID", "Max-Forwards")}
    return {"": lines[""].replace("INVITE", "ACK", 1), **kept, "To": answer.get("To"), "CSeq": f"{number} ACK"}


def test_register_for_someone_else(raw: Raw, server: Server) -> None:
    other = server.next_user()
    assert signed(raw, "REGISTER", f"sip:{DOMAIN}", f"sip:{other}@{DOMAIN}").status == 403
    assert signed(raw, "REGISTER", f"sip:{DOMAIN}", f"sip:{raw.user}@{DOMAIN}").status == 200


def test_publish_for_someone_else(raw: Raw, server: Server) -> None:
    """A lamp cannot be forged: 403, and its watchers hear nothing."""
    other = server.next_user()
    forged = (
        f'<?xml version="1.0"?><dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="0" state="full" '
        f'entity="sip:{other}@{DOMAIN}"><dialog id="x"><state>confirmed</state></dialog></dialog-info>'
    )
    headers = {"Event": "dialog", "Expires": "60"}
    answer = signed(
        raw, "PUBLISH", f"sip:{other}@{DOMAIN}", body=forged, content_type="application/dialog-info+xml", **headers
    )
    assert answer.status == 403
    watched = signed(raw, "SUBSCRIBE", f"sip:{other}@{DOMAIN}", Event="dialog", Expires="0")
    assert watched.status == 200
    assert lamp(raw.receive().body).state == "terminated"


def test_a_contact_that_is_the_server_itself(raw: Raw, server: Server) -> None:
    loop = {"Contact": f"<sip:{raw.user}@{server.address}>"}
    assert signed(raw, "REGISTER", f"sip:{DOMAIN}", f"sip:{raw.user}@{DOMAIN}", **loop).status == 403


def test_a_replayed_nonce(raw: Raw) -> None:
    """The same nc twice is a replay (RFC 7616 §5.12): a fresh challenge that says stale, for the digest is right."""
    lines = raw.lines("REGISTER", to=f"sip:{raw.user}@{DOMAIN}")
    challenge = raw.answer(text(lines))
    first = again(raw, lines, challenge)
    assert raw.answer(text(first)).status == 200
    replay = first | {"Call-ID": "other", "Via": f"{first['Via']}r"}
    answer = raw.answer(text(replay))
    assert answer.status == 401 and "stale=true" in answer.get("WWW-Authenticate")
    # The next nc of the same nonce is good.
    name, value = raw.credentials(challenge, "REGISTER", f"sip:{DOMAIN}", nc=2)
    lines = raw.lines("REGISTER", to=f"sip:{raw.user}@{DOMAIN}") | {name: value}
    assert raw.answer(text(lines)).status == 200


def test_a_forged_nonce(raw: Raw) -> None:
    lines = raw.lines("REGISTER", to=f"sip:{raw.user}@{DOMAIN}")
    challenge = raw.answer(text(lines))
    nonce = challenge.get("WWW-Authenticate").partition('nonce="')[2].partition('"')[0]
    made_up = nonce[:-4] + ("0000" if nonce[-4:] != "0000" else "1111")
    forged = Message(
        challenge.start, tuple((key, value.replace(nonce, made_up)) for key, value in challenge.headers), ""
    )
    assert raw.answer(text(again(raw, lines, forged))).status == 401


# ---- session descriptions


@pytest.mark.parametrize("media", ["", "m=\r\n", "m=audio\r\n"])
def test_invite_without_media(raw: Raw, lab: Lab, media: str) -> None:
    """An offer may have no stream (RFC 3264 §5): the far phone decides, on a broken one too; we carry its 488."""
    (b,) = lab.phones(1)
    far = lab.start(Callee().ring().refuse(488), b)
    body = raw.sdp(media)
    answer = signed(raw, "INVITE", f"sip:{b.user}@{DOMAIN}", body=body, content_type="application/sdp")
    far.finish()
    assert answer.status == 488
    offered = far.received("INVITE")[0].body
    assert "s=-" in offered and offered.count("m=") == media.count("m=")


def test_reinvite_without_media(lab: Lab) -> None:
    """m= lines never vanish (RFC 3264 §8): 488, or 400 where the description is no SDP at all; the call goes on."""
    a, b = lab.phones(2)
    caller = Caller(b.user).dial().reinvite_without_media(488).reinvite("sendonly").bye()
    lab.call(a, caller, b, Callee().ring().accept().reinvited("sendonly", "recvonly").byed())


# ---- afterwards


def test_a_normal_call_still_passes(lab: Lab) -> None:
    a, b = lab.phones(2)
    caller = Caller(b.user).dial().reinvite("sendonly").reinvite("sendrecv").bye()
    callee = Callee().ring().accept().reinvited("sendonly", "recvonly").reinvited("sendrecv", "sendrecv").byed()
    lab.call(a, caller, b, callee)
    lab.server.check_healthy()
    wait_until("no call left", lambda: lab.server.metric("b2bua_calls_active") == 0)
