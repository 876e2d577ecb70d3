"""The latency probe: one authenticated call (or REGISTER) at a time beside the load, timed with the ns clock.

SIPp's own response times come in steps of some milliseconds; this probe's do not.
"""

from __future__ import annotations

import re
import socket
import time
from dataclasses import dataclass, field

from sip_bench.digest import authorization
from sip_bench.settings import PROBE, SERVER, Bench
from sip_bench.users import callee, caller

REPLY_SECONDS = 2.0
CALLS_PER_SECOND = 40.0
COMPACT = {"To": "t", "Contact": "m", "Call-ID": "i"}
SDP = (
    f"v=0\r\no=- 1 1 IN IP4 {PROBE.host}\r\ns=-\r\nc=IN IP4 {PROBE.host}\r\nt=0 0\r\n"
    "m=audio 40000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
)


@dataclass
class Latencies:
    """Times in ms since the request with credentials was sent."""

    first: list[float] = field(default_factory=list)
    """To the first response of any kind."""
    goal: list[float] = field(default_factory=list)
    """To the 180 of an INVITE, the 200 of a REGISTER."""
    lost: int = 0
    """Calls in which a message did not come within REPLY_SECONDS or was refused."""


def percentile(values: list[float], share: float) -> float:
    """The value below which ``share`` (0 to 1) of the values lie; NaN for no values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else float("nan")


class ProbeError(Exception):
    """The server did not answer, or not as the call needs it."""


@dataclass(frozen=True)
class Response:
    """A received response and when it came (perf_counter_ns)."""

    status: int
    text: str
    at: int

    def headers(self, name: str) -> list[str]:
        """All values of a header, in order, long and compact form."""
        names = "|".join(filter(None, (name, COMPACT.get(name))))
        return re.findall(rf"(?mi)^(?:{names})[ \t]*:[ \t]*(.*?)\r$", self.text)

    def header(self, name: str) -> str:
        """The first value; ProbeError when there is none."""
        values = self.headers(name)
        if not values:
            raise ProbeError(f"no {name} in the {self.status}")
        return values[0]

    def to_parameters(self) -> str:
        """What follows the URI in To: the tag."""
        return self.header("To").partition(">")[2]


def watch(bench: Bench, scenario: str, seconds: float) -> Latencies:
    """Call at most CALLS_PER_SECOND times a second for ``seconds``; a lost call is counted and ends nothing."""
    latencies = Latencies()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(PROBE)
        sock.settimeout(REPLY_SECONDS)
        begin = due = time.monotonic()
        count = 0
        while time.monotonic() < begin + seconds:
            count += 1
            attempt = Attempt(sock, scenario, count % bench.users, latencies)
            try:
                attempt.run()
            except (OSError, ProbeError):
                latencies.lost += 1
            due = max(due + 1 / CALLS_PER_SECOND, time.monotonic())
            time.sleep(max(0.0, due - time.monotonic()))
    return latencies


class Attempt:
    """One call from INVITE to BYE, or one REGISTER; adds its times to ``latencies``."""

    def __init__(self, sock: socket.socket, scenario: str, index: int, latencies: Latencies) -> None:
        self.sock = sock
        self.latencies = latencies
        self.user = caller(index)
        self.call_id = f"p{time.time_ns()}"
        self.registers = scenario == "register"
        self.method = "REGISTER" if self.registers else "INVITE"
        self.target = self.user if self.registers else callee(index)
        self.uri = f"sip:{SERVER}" if self.registers else f"sip:{self.target}@{SERVER}"
        self.body = "" if self.registers else SDP
        self.goal = 200 if self.registers else 180

    def run(self) -> None:
        """Request, challenge, request with credentials, then end the call. Raises ProbeError or OSError."""
        self._send(self.method, self.uri, 1, body=self.body)
        challenge = self._final(1)
        if not self.registers:
            self._acknowledge_failure(challenge, 1)
        if challenge.status not in (401, 407):
            raise ProbeError(f"{challenge.status} in place of a challenge")
        name = "WWW-Authenticate" if challenge.status == 401 else "Proxy-Authenticate"
        credentials = authorization(challenge.status, challenge.header(name), self.user, self.method, self.uri)
        sent = time.perf_counter_ns()
        self._send(self.method, self.uri, 2, extra=credentials, body=self.body)
        final = self._timed_final(2, sent)
        if not self.registers:
            self._end(final)
        if final.status != 200:
            raise ProbeError(f"final response {final.status}")

    def _timed_final(self, cseq: int, sent: int) -> Response:
        seen: set[int] = set()
        while True:
            response = self._receive(cseq)
            elapsed = (response.at - sent) / 1e6
            if not seen:
                self.latencies.first.append(elapsed)
            if response.status == self.goal and self.goal not in seen:
                self.latencies.goal.append(elapsed)
            seen.add(response.status)
            if response.status >= 200:
                return response

    def _end(self, final: Response) -> None:
        """ACK, and BYE for an answered call (RFC 3261 §13.2.2.4, §15)."""
        if final.status >= 300:
            self._acknowledge_failure(final, 2)
            return
        contact = re.search(r"<(sip:[^>]*)>", final.header("Contact"))
        if contact is None:
            raise ProbeError("no SIP URI in Contact")
        recorded = [value for line in final.headers("Record-Route") for value in re.findall(r"<[^>]*>[^,\s]*", line)]
        route = "".join(f"Route: {value}\r\n" for value in reversed(recorded))  # RFC 3261 §12.1.2
        to = final.to_parameters()
        self._send("ACK", contact[1], 2, branch="2ack", to=to, extra=route)
        self._send("BYE", contact[1], 3, to=to, extra=route)
        self._final(3)

    def _acknowledge_failure(self, final: Response, cseq: int) -> None:
        """The ACK of a response from 300 on has the branch of its INVITE (RFC 3261 §17.1.1.3)."""
        self._send("ACK", self.uri, cseq, to=final.to_parameters())

    def _send(
        self, method: str, uri: str, cseq: int, *, branch: str = "", to: str = "", extra: str = "", body: str = ""
    ) -> None:
        lines = [
            f"{method} {uri} SIP/2.0",
            f"Via: SIP/2.0/UDP {PROBE};branch=z9hG4bK{self.call_id}{branch or cseq}",
            "Max-Forwards: 70",
            f"From: <sip:{self.user}@{SERVER.host}>;tag={self.call_id}",
            f"To: <sip:{self.target}@{SERVER.host}>{to}",
            f"Call-ID: {self.call_id}",
            f"CSeq: {cseq} {method}",
            f"Contact: <sip:{self.user}@{PROBE}>",
        ]
        if body:
            lines.append("Content-Type: application/sdp")
        if method == "REGISTER":
            lines.append("Expires: 600")
        head = "".join(f"{line}\r\n" for line in lines)
        self.sock.sendto(f"{head}{extra}Content-Length: {len(body)}\r\n\r\n{body}".encode(), SERVER)

    def _final(self, cseq: int) -> Response:
        while True:
            response = self._receive(cseq)
            if response.status >= 200:
                return response

    def _receive(self, cseq: int) -> Response:
        """The next response of this call with that CSeq number; others are dropped."""
        end = time.monotonic() + REPLY_SECONDS
        while time.monotonic() < end:
            text = self.sock.recv(65535).decode(errors="replace")
            at = time.perf_counter_ns()
            if not re.match(r"SIP/2\.0 [1-6]\d\d ", text):
                continue
            response = Response(int(text[8:11]), text, at)
            if response.headers("Call-ID") == [self.call_id] and response.header("CSeq").split()[0] == str(cseq):
                return response
        raise ProbeError("no response")
