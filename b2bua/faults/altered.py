"""Messages as a fault changes them: another tag, more bytes."""

from __future__ import annotations

import re
from typing import Final

from b2bua.sip.message import Request, Response

_TAG: Final = re.compile(r"(;\s*tag\s*=\s*)([^;,\s>]+)", re.IGNORECASE)
_PADDING: Final = "X-Padding"
_LINE: Final = 900
"""Characters of one header that is there to be long: many such, for a receiver that limits a line is not what is looked for."""


def with_wrong_tag(message: Request | Response) -> Request | Response:
    """With another To tag; another From tag where To has none."""
    copy = message.copy()
    name = "To" if message.to.tag else "From"
    value = copy.get(name) or ""
    wrong = _TAG.sub(lambda found: f"{found[1]}wrong-{found[2]}", value)
    copy.replace(name, wrong)
    return copy


def padded(message: Request | Response, size: int) -> Request | Response:
    """With as many further headers as make it this many bytes long; as it is where it is longer."""
    copy = message.copy()
    missing = size - len(copy.encode())
    least = len(f"{_PADDING}: \r\n") + 1
    while missing >= least:
        length = min(missing, _LINE)
        if 0 < missing - length < least:
            length -= least
        copy.append(_PADDING, "x" * (length - least + 1))
        missing -= length
    return copy
