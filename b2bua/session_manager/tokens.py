"""Tokens in our own Route and Record-Route URIs: what is in dialog is what they prove.

A flow token says which flow a phone is reached on (RFC 5626 §5.3) and which side of the dialog that phone is; it is signed
over the Call-ID, so it opens one dialog and no other. A position token says how far a request has come in the sequence of
applications; only a link may use one. A branch of an INVITE to a phone is signed as well: after a restart it proves that a
2xx to it, which matches no transaction any more, answers what we had sent in this dialog.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from hashlib import blake2b
from hmac import compare_digest
from typing import Final, NamedTuple
from urllib.parse import quote, unquote

from b2bua.session_manager.sequences import Position
from b2bua.sip.flow import Flow, HostPort

_MAC: Final = 9
"""Bytes of signature: 72 bits, 12 characters."""
CALLER: Final = "o"
CALLEE: Final = "t"
BETWEEN: Final = "b"

_SIGNED: Final = "~"
"""Between a branch and its signature."""
_BRANCH: Final = b"branch "
"""Before a branch that is signed: no payload of another token begins so."""

_ESCAPED: Final = "surrogateescape"
"""How bytes that are no UTF-8 travel."""

MAX_REMEMBERED: Final = 4096
"""Opened tokens that are remembered; at that many the memory starts anew."""


class FlowToken(NamedTuple):
    """What a flow token says once its signature is right."""

    direction: str
    """The phone on this flow is the dialog's CALLER (originating) or CALLEE (terminating); BETWEEN two feature servers there
    is no phone, and `listener` names the one that called."""
    through_nat: bool
    """The phone's Contact is not where it is reached: only the flow is."""
    listener: str
    remote: HostPort
    link: str
    """The feature server on the other side of the dialog; "" when that is a phone too."""
    gone: bool = False
    """The flow was a connection to an earlier process: whoever has its address now may be somebody else."""


class Tokens:
    """Makes and reads tokens under one key (bytes, secret, up to 64), which outlives the process; `process` is its name, by
    which the connections of another one are known."""

    def __init__(self, key: bytes, process: str = "") -> None:
        self._key = key
        self._process = process
        self._opened: dict[tuple[str, str], FlowToken] = {}

    def flow(self, flow: Flow, call_id: str, direction: str, through_nat: bool, link: str) -> str:
        """The user part of a Record-Route URI towards the phone on this flow."""
        host, port = flow.remote
        process = f">{self._process}" if flow.reliable else ""
        return self._sign(f"{direction}{'n' if through_nat else 'd'}{flow.listener}>{host}>{port}>{link}{process}", call_id)

    def read_flow(self, token: str, call_id: str) -> FlowToken | None:
        """The token's content, or None when it was not made by us for this Call-ID.

        What opened is remembered for a while: a call brings the same token a dozen times.
        """
        known = self._opened.get((token, call_id))
        if known is not None:
            return known
        text = self._open(token, call_id)
        if text is None or text[:1] not in (CALLER, CALLEE, BETWEEN):
            return None
        listener, host, port, link, *process = text[2:].split(">")
        gone = not listener.startswith("udp:") and process != [self._process] and text[0] != BETWEEN
        if len(self._opened) >= MAX_REMEMBERED:
            self._opened.clear()
        known = self._opened[token, call_id] = FlowToken(
            text[0], text[1] == "n", listener, (host, int(port)), link, gone
        )  # fmt: skip
        return known

    def between(self, calling: str, called: str, call_id: str) -> str:
        """The user part of a Record-Route URI in a dialog of two feature servers, each given by its link's name."""
        return self._sign(f"{BETWEEN}d{calling}>>0>{called}", call_id)

    def position(self, position: Position, call_id: str) -> str:
        """The user part of the Route URI that brings a request back from an application.

        It remembers the Call-ID that went there: what comes back is the other leg of that call.
        """
        phase, left, passed, served = position
        user = served if served.isalnum() and served.isascii() else quote(served, "", errors=_ESCAPED)
        text = f"p{phase}>{','.join(left)}>{','.join(passed)}>{user}>{call_id}"
        return self._sign(text, "sequence")

    def read_position(self, token: str) -> tuple[Position, str] | None:
        """Position and Call-ID; None when the token is no position of ours."""
        text = self._open(token, "sequence")
        if text is None or text[:1] != "p" or text.count(">") < 4:
            return None
        phase, left, passed, served, call_id = text[1:].split(">", 4)
        return Position(phase, _names(left), _names(passed), unquote(served, errors=_ESCAPED)), call_id

    def branch(self, branch: str, call_id: str) -> str:
        """The branch of an INVITE of this Call-ID, with what proves that it is ours."""
        return f"{branch}{_SIGNED}{self._mac(_BRANCH + branch.encode(), call_id)}"

    def is_our_branch(self, branch: str, call_id: str) -> bool:
        """Whether we, or an earlier process, have sent an INVITE of this Call-ID under this branch."""
        ours, _, mac = branch.rpartition(_SIGNED)
        encoded = ours.encode("utf-8", "surrogateescape")
        return compare_digest(self._mac(_BRANCH + encoded, call_id).encode(), mac.encode("utf-8", "surrogateescape"))

    def _sign(self, text: str, bound: str) -> str:
        payload = urlsafe_b64encode(text.encode("utf-8", "surrogateescape")).rstrip(b"=")
        return f"{payload.decode()}.{self._mac(payload, bound)}"

    def _open(self, token: str, bound: str) -> str | None:
        payload, dot, mac = token.rpartition(".")
        if not dot:
            return None
        encoded = payload.encode("utf-8", "replace")
        # Takes as long for any wrong signature: how much of one is right must not be told by the time.
        if not compare_digest(self._mac(encoded, bound).encode(), mac.encode("utf-8", "surrogateescape")):
            return None
        try:
            return urlsafe_b64decode(encoded + b"=" * (-len(encoded) % 4)).decode("utf-8", "surrogateescape")
        except (Error, ValueError):
            return None

    def _mac(self, payload: bytes, bound: str) -> str:
        digest = blake2b(payload + b"\0" + bound.encode("utf-8", "surrogateescape"), key=self._key, digest_size=_MAC)
        return urlsafe_b64encode(digest.digest()).decode()


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split(",")) if text else ()
