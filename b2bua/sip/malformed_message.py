"""What is raised for bytes that are no SIP message; what is wrong with a value in one is in errors.py."""

from __future__ import annotations

from b2bua.sip.message import Request


class MalformedMessage(Exception):
    """Bytes that are no acceptable SIP message.

    `request` is there when enough was readable to answer the sender with `status`; otherwise the message is dropped.
    `kind` is a short label for the parse-error counter.
    """

    def __init__(self, kind: str, status: int = 400, reason: str = "", request: Request | None = None) -> None:
        super().__init__(f"{kind}: {reason}" if reason else kind)
        self.kind = kind
        self.status = status
        self.reason = reason or "Bad Request"
        self.request = request
