"""What the ladders of transfers have in common: REFER, the NOTIFYs of its subscription, the re-INVITEs that join two parties."""

from __future__ import annotations

from collections.abc import Callable

from b2bua.sip.message import Message
from tests.scenarios.scene import Scene
from tests.scenarios.script_call import ScriptCall

FEATURES = ("hold", "lamps", "transfer")

Talk = tuple[ScriptCall, ScriptCall]


def refer_text(call: ScriptCall, target: str, *lines: str) -> str:
    """A REFER in the call, to what stands between the angle brackets of Refer-To."""
    return call.request("REFER", "", f"Refer-To: <{target}>", *lines)


def refer(call: ScriptCall, target: str, *lines: str, status: int = 202) -> Message:
    """A REFER with credentials, and its answer."""
    phone = call.phone
    phone >> refer_text(call, target, *lines)
    challenge = phone << "407 REFER"
    phone >> refer_text(call, target, *lines, phone.credentials(challenge, "REFER", call.target))
    return phone << f"{status} REFER"


def reports(call: ScriptCall) -> list[str]:
    """What the NOTIFYs of the phone's REFERs said, oldest first: `100 Trying active`."""
    found = []
    for notify in call.phone.notified:
        if (notify.get("Event") or "").startswith("refer") and notify.call_id == call.call_id:
            assert notify.get("Content-Type") == "message/sipfrag;version=2.0"
            state = (notify.get("Subscription-State") or "").partition(";")[0]
            line = notify.body.decode()
            assert line.startswith("SIP/2.0 ") and line.endswith("\r\n")
            found.append(f"{line[8:].strip()} {state}")
    return found


def replaces(call: ScriptCall) -> str:
    """Refer-To's header for the dialog of this phone, as the phone itself sees it, percent-encoded (RFC 5589 §7.1)."""
    value = f"{call.call_id};to-tag={call.remote_tag};from-tag={call.tag}"
    escaped = value.replace(";", "%3B").replace("=", "%3D").replace("@", "%40")
    return f"?Replaces={escaped}"


def asked(call: ScriptCall) -> Message:
    """The re-INVITE of Communication Manager's own that asks this phone for an offer."""
    return call.phone << "INVITE no-body"


def join(
    stays: ScriptCall, comes: ScriptCall, offer: str = "sendrecv", answer: str = "sendrecv",
    before: Callable[[], None] = lambda: None,
) -> None:  # fmt: skip
    """The re-INVITEs that make one call of two that stand: `stays` is asked for an offer, `comes` answers it."""
    arrived = asked(stays)
    before()
    stays.phone >> stays.answer(arrived, 200, stays.sdp(offer))
    offered = comes.phone << f"INVITE a={offer}"
    comes.phone >> comes.answer(offered, 200, comes.sdp(answer))
    comes.phone << "ACK no-body"
    stays.phone << f"ACK a={answer}"


def lamp_of(call: ScriptCall) -> list[tuple[str, str]]:
    """State and remote identity of every dialog that the phone's own lamp shows."""
    return [(dialog.state, dialog.remote.identity) for dialog in call.phone.lamp.dialogs]


def aor(user: str) -> str:
    return f"sip:{user}@example.com"


def settle(scene: Scene) -> None:
    """Let the lamps say what they have to say: a second and a bit."""
    scene.advance(2.2)
