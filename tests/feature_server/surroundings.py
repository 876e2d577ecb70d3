"""What a feature server is given, with a clock turned by hand and a link that keeps what is sent."""

from __future__ import annotations

from b2bua.feature_server.contract import Environment
from b2bua.sip.message import Message, Request
from tests.transaction.neighbours import Element, reply


class Surroundings(Element):
    """An environment, and Session Manager's side of the link in the test's hands."""

    def __init__(self) -> None:
        super().__init__(reliable=True)
        self.failures: list[BaseException] = []
        self.joined: list[tuple[str, str]] = []
        self.environment = Environment(
            "cm", "example.com", self.layer, self.flow, self.observer, lambda low, high: (low + high) / 2,
            lambda call, call_id: self.joined.append((call, call_id)), self._failed,
        )  # fmt: skip

    def _failed(self, error: BaseException, message: Message | None) -> None:
        self.failures.append(error)

    def answer(self, request: Request, status: int, *headers: tuple[str, str]) -> None:
        response = reply(request, status)
        for name, value in headers:
            response.append(name, value)
        self.receive(response)


def description(
    direction: str = "", version: int = 1, address: str = "192.0.2.10", port: int = 4000, *more: str
) -> bytes:
    """A session description with one audio stream; "" leaves the direction line out."""
    lines = ["v=0", f"o=phone 7 {version} IN IP4 {address}", "s=-", f"c=IN IP4 {address}", "t=0 0"]
    lines.append(f"m=audio {port} RTP/AVP 0")
    lines += [f"a={direction}"] if direction else []
    return "\r\n".join([*lines, *more, ""]).encode()
