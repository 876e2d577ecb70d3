"""One call between a PJSIP phone and a baresip phone, whoever calls; what happens in it is read from the server's trace."""

from __future__ import annotations

from typing import Final

from tests.interop.baresip import Baresip
from tests.interop.pjsip import Pjsip
from tests.interop.server import Hop, Server, wait_until
from tests.interop.wire import direction, lamp

PJSIP: Final = "PJSIP"
BARESIP: Final = "baresip"


class MixedCall:
    """Each verb waits until both legs are done with it. Phones are named `PJSIP` and `baresip`."""

    def __init__(self, server: Server, pjsip: Pjsip, baresip: Baresip) -> None:
        self.server = server
        self.pjsip = pjsip
        self.baresip = baresip
        self._call_id = ""
        self._exchanges = 0
        self._holders: set[str] = set()

    def user(self, name: str) -> str:
        return self.pjsip.user if name == PJSIP else self.baresip.user

    def far(self, name: str) -> str:
        """The other one."""
        return BARESIP if name == PJSIP else PJSIP

    def hops(self) -> list[Hop]:
        return self.server.hops(f"call-id={self._call_id}")

    # -- verbs -------------------------------------------------------------------------------------------------

    def set_up(self, caller: str) -> None:
        """Ring, answer, and RTP both ways."""
        streams = self.baresip.streams_heard()
        if caller == PJSIP:
            self.pjsip.dial(self.baresip.user)
            self.baresip.expect("CALL_INCOMING")
            self.baresip.command("accept")
        else:
            self.baresip.dial(self.pjsip.user)
            self.pjsip.state("early")
            self.pjsip.command("answer")
        self.pjsip.state("confirmed")
        self.baresip.expect("CALL_ESTABLISHED")
        self._call_id = self.pjsip.call.call_id
        self._exchange_done("call set up")
        self.pjsip.hears()
        wait_until("baresip hears", lambda: self.baresip.streams_heard() > streams)

    def hold(self, name: str) -> None:
        self.press(name, "hold")
        self._holders.add(name)
        self._agreed_on(f"hold by {name}")

    def resume(self, name: str) -> None:
        self.press(name, "resume")
        self._holders.discard(name)
        self._agreed_on(f"resume by {name}")

    def _agreed_on(self, what: str) -> None:
        """PJSIP, which counts its own hold before the other's, knows it, and so does the server."""
        self.pjsip.media("local hold" if PJSIP in self._holders else "remote hold" if self._holders else "active")
        self._exchange_done(what)

    def press(self, name: str, verb: str) -> None:
        """Only the key: `hold`, `resume` or `hangup`."""
        (self.pjsip if name == PJSIP else self.baresip).command(verb)

    def hang_up(self, name: str) -> None:
        """By this one, until both phones and the lamps know."""
        self.press(name, "hangup")
        self.pjsip.state("disconnected")
        if name == PJSIP:
            self.baresip.expect("CALL_CLOSED")
        wait_until("lamps out", lambda: [hop.message.get("Expires") for hop in self.hops()
                                         if hop.message.method == "PUBLISH"].count("0") == 2)  # fmt: skip

    def end(self) -> None:
        """Whatever came of it, both phones are free again."""
        if self.pjsip.process.poll() is None:
            self.pjsip.clear()
        self.baresip.clear()

    # -- what is seen ------------------------------------------------------------------------------------------

    def transports(self, name: str) -> set[str]:
        """Over which this phone and Session Manager spoke."""
        user = self.user(name)
        return {hop.transport for hop in self.hops() if user in hop.way and "SM" in hop.way}

    def is_quiet(self) -> bool:
        """Whether each INVITE that a phone sent or got has its final response, and that its ACK."""
        hops = [hop for hop in self.hops() if "CM" not in hop.way]
        asked = {(hop.message.call_id, hop.message.cseq, hop.message.method) for hop in hops if hop.message.method}
        invites = {each[:2] for each in asked if each[2] == "INVITE"}
        return invites <= {each[:2] for each in asked if each[2] == "ACK"}

    def lamps(self, name: str) -> tuple[str, str]:
        """The renderings, local and remote, that were published last for this phone."""
        user = self.user(name)
        bodies = [hop.message.body for hop in self.hops()
                  if hop.message.method == "PUBLISH" and hop.message.body and f"sip:{user}@" in hop.message.uri]  # fmt: skip
        newest = lamp(bodies[-1])
        return newest.local, newest.remote

    def agreed(self, name: str) -> str:
        """The direction that this phone spoke last, in an offer that was taken or in its answer."""
        user = self.user(name)
        done = self._agreed(self.hops())
        spoken = [hop for hop in self.hops()
                  if hop.way == (user, "SM") and hop.message.body.startswith("v=0")
                  and (hop.message.call_id, hop.message.cseq) in done]  # fmt: skip
        return direction(spoken[-1].message.body)

    def _exchange_done(self, what: str) -> None:
        """A 200 to an INVITE has reached whoever asked for it, and both legs' ACKs have passed."""
        self._exchanges += 1
        wait_until(what, lambda: self.acknowledged() == 2 * self._exchanges)

    def acknowledged(self) -> int:
        """How many INVITEs of both legs have been answered with 200 and acknowledged."""
        hops = self.hops()
        acks = {(hop.message.call_id, hop.message.cseq) for hop in hops if hop.message.method == "ACK" and "CM" not in hop.way}
        return len(acks & self._agreed(hops))

    def _agreed(self, hops: list[Hop]) -> set[tuple[str, int]]:
        return {(hop.message.call_id, hop.message.cseq) for hop in hops
                if hop.message.status == 200 and hop.message.cseq_method == "INVITE"}  # fmt: skip
