"""SUBSCRIBE and PUBLISH of any event package, as the scenarios of single packages need them."""

from __future__ import annotations

from b2bua.sip.message import Request, Response
from tests.scenarios.script_call import ScriptCall
from tests.scenarios.script_phone import ScriptPhone


def ask(
    phone: ScriptPhone, event: str, aor: str, *lines: str, expires: int = 600, dialog: ScriptCall | None = None
) -> tuple[Response, ScriptCall]:
    """A SUBSCRIBE with credentials: what it is answered, and its dialog."""
    call = dialog or ScriptCall(phone, aor)
    wish = (f"Event: {event}", f"Expires: {expires}", *lines)
    phone >> call.request("SUBSCRIBE", "", *wish)
    challenge = phone << "401 SUBSCRIBE"
    uri = call.target
    phone >> call.request("SUBSCRIBE", "", *wish, phone.credentials(challenge, "SUBSCRIBE", uri))
    return final(phone), call


def subscribe(phone: ScriptPhone, event: str, aor: str, *lines: str, expires: int = 600) -> ScriptCall:
    """A subscription that stands, its first document taken."""
    heard = len(phone.notified)
    answer, call = ask(phone, event, aor, *lines, expires=expires)
    assert answer.status == 200, answer
    call.learn(answer)
    assert len(phone.notified) == heard + 1
    return call


def refused(phone: ScriptPhone, event: str, aor: str, *lines: str, expires: int = 600) -> int:
    """The status of a SUBSCRIBE that installs nothing."""
    heard = len(phone.notified)
    answer, _ = ask(phone, event, aor, *lines, expires=expires)
    assert len(phone.notified) == heard
    return answer.status


def publish(
    phone: ScriptPhone, event: str, content_type: str, body: str, *lines: str, aor: str = "", expires: int = 600
) -> Response:
    """A PUBLISH with credentials: what it is answered."""
    aor = aor or phone.aor
    call = ScriptCall(phone, aor)

    def text(*more: str) -> str:
        wish = (f"Event: {event}", f"Expires: {expires}", *lines, *more)
        return call.request("PUBLISH", body, *wish).replace("application/sdp", content_type)

    phone >> text()
    challenge = phone << "407 PUBLISH"
    phone >> text(phone.credentials(challenge, "PUBLISH", aor))
    return final(phone)


def final(phone: ScriptPhone) -> Response:
    """The next message, which is an answer."""
    phone._pass_over_100()
    answer = phone.inbox.popleft()
    assert isinstance(answer, Response), answer
    return answer


def told(phone: ScriptPhone, event: str) -> Request:
    """The newest NOTIFY of a package."""
    found = [request for request in phone.notified if (request.get("Event") or "").partition(";")[0] == event]
    assert found, f"no NOTIFY of {event}"
    return found[-1]
