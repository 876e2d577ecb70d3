"""How a B2BUA and the proxy at its side share the answer to a challenge from beyond the proxy (RFC 3261 §22.3).

The user agent alone may count CSeq on, the proxy alone has the secret and knows the Request-URI there. So the proxy hands the
challenge on with the parameter `by-proxy=N`; the user agent sends its request again, CSeq one up, with that very challenge in
place of credentials; the proxy puts the credentials there. RFC 7616 §3.3 lets a challenge have such a parameter, and whoever
does not know it ignores it.
"""

from __future__ import annotations

from typing import Final

from b2bua.sip.address import split_unquoted
from b2bua.sip.digest import HEADERS, MAX_ROUNDS, parse_parameters
from b2bua.sip.errors import MalformedValue
from b2bua.sip.message import Message

BY_PROXY: Final = "by-proxy"
_ROUNDS: Final = {str(number): number for number in range(1, MAX_ROUNDS + 1)}


def marked(challenge: str, number: int) -> str:
    """A challenge as it is handed on in this round, counted from 1."""
    if BY_PROXY in challenge.lower():  # a mark of others, which would stand there twice
        scheme, _, rest = challenge.partition(" ")
        parts = [part for part in split_unquoted(rest, ",") if part.partition("=")[0].strip().lower() != BY_PROXY]
        challenge = f"{scheme} {','.join(parts).strip()}"
    return f"{challenge}, {BY_PROXY}={number}"


def round_of(value: str) -> int:
    """The round of a challenge, or of the answer that it stands for; 0 for any other value."""
    if BY_PROXY not in value:
        return 0
    try:
        return _ROUNDS.get(parse_parameters(value).get(BY_PROXY, ""), 0)
    except MalformedValue:
        return 0


def rounds(request: Message) -> int:
    """The round that a request stands in: 0 for one that answers nothing by way of the proxy."""
    return max((round_of(value) for _, name in HEADERS for value in request.get_all(name)), default=0)
