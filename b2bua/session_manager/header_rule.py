"""Header manipulation: a header is added, removed or replaced on the way to a trunk or from it.

A rule is written `add:HEADER:VALUE`, `remove:HEADER` or `replace:HEADER:VALUE`. What the machines go by is not for rules.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from b2bua.sip.message import Request
from b2bua.sip.names import SINGLE, canonical_name

ACTIONS: Final = ("add", "remove", "replace")
OWNED: Final = frozenset(
    (
        # Where a message goes, and which transaction and dialog it belongs to.
        "Via", "Route", "Record-Route", "Path", "Service-Route", "From", "To", "Call-ID", "CSeq", "Contact",
        "Max-Forwards", "Max-Breadth",
        # What its body is.
        "Content-Length", "Content-Type", "Content-Encoding", "Content-Disposition", "MIME-Version",
        # What was agreed on with whoever sent it.
        "Require", "Proxy-Require", "Supported", "Unsupported", "Session-Expires", "Min-SE", "RSeq", "RAck", "Expires",
        "Min-Expires", "Event", "Subscription-State", "SIP-ETag", "SIP-If-Match", "Replaces", "Join", "Refer-To", "Refer-Sub",
        "Target-Dialog",
        # Who it is from, and what proves that.
        "Authorization", "Proxy-Authorization", "WWW-Authenticate", "Proxy-Authenticate", "Authentication-Info",
        "P-Asserted-Identity", "P-Preferred-Identity", "P-Served-User", "Privacy", "Identity",
    )
)  # fmt: skip
"""Headers that no rule may touch."""
_NAME: Final = re.compile(r"[A-Za-z0-9!%*_+`'~.-]+")


class HeaderRule(NamedTuple):
    """Read by `read_header_rule`."""

    text: str
    action: str
    """`add`, `remove`, `replace`."""
    name: str
    """Canonical."""
    value: str

    def apply(self, request: Request) -> None:
        """To a request in the making. `add` to a header that may stand once does nothing where it stands; `replace` does
        nothing where it does not, and leaves one of several."""
        if self.action == "add":
            if self.name not in SINGLE or self.name not in request.names:
                request.append(self.name, self.value)
        elif self.name in request.names:
            if self.action == "replace":
                index = request.names.index(self.name)
                request.remove(self.name)
                request.names.insert(index, self.name)
                request.lines.insert(index, f"{self.name}: {self.value}")
            else:
                request.remove(self.name)


def read_header_rule(text: str) -> HeaderRule:
    """ValueError says what is wrong."""
    action, _, rest = text.partition(":")
    name, colon, value = rest.partition(":")
    action, name, value = action.strip(), name.strip(), value.strip()
    if action not in ACTIONS or not _NAME.fullmatch(name):
        raise ValueError(f"{text!r} is not add:HEADER:VALUE, remove:HEADER or replace:HEADER:VALUE")
    name = canonical_name(name)
    if name in OWNED:
        raise ValueError(f"{text!r}: {name} belongs to the transaction, the dialog or the proof of who sends it")
    if bool(colon and value) != (action != "remove"):
        raise ValueError(f"{text!r}: {'no value is wanted' if action == 'remove' else 'a value is wanted'}")
    if any(ord(sign) < 32 or ord(sign) == 127 for sign in value):
        raise ValueError(f"{text!r}: a value is one line")
    return HeaderRule(text, action, name, value)


def apply_rules(rules: Iterable[HeaderRule], request: Request) -> None:
    """One after the other."""
    for rule in rules:
        rule.apply(request)
