"""A dialog as a scripted phone keeps it: what every request in it must carry, as text."""

from __future__ import annotations

from b2bua.sip.message import Message, Request, Response
from tests.scenarios.options import DOMAIN
from tests.scenarios.script_phone import ScriptPhone, response, text


class ScriptCall:
    """One dialog of one phone, made by its own INVITE or (`ScriptCall.of`) by one that it got."""

    def __init__(self, phone: ScriptPhone, peer: str, call_id: str = "", tag: str = "") -> None:
        self.phone = phone
        number = phone.branch().rpartition("-")[2]
        self.call_id = call_id or f"call-{number}-{phone.name}"
        self.tag = tag or f"tag{number}{phone.name}"
        self.remote_tag = ""
        self.local = f"<{phone.aor}>"
        self.remote = f"<{peer}>"
        self.target = peer
        self.routes: list[str] = []
        self.cseq = 0
        self.media = "IN IP4 192.0.2.200"
        self.version = 1
        self._direction = "sendrecv"
        self._sent = ""
        """Our last INVITE as sent: ACK of a failure and CANCEL are made of it."""

    @classmethod
    def of(cls, phone: ScriptPhone, invite: Message) -> ScriptCall:
        """The callee's side."""
        peer = invite.contact()
        assert peer is not None
        call = cls(phone, peer.uri, invite.call_id)
        call.remote = f"<{invite.from_.uri}>"
        call.local = f"<{invite.to.uri}>"
        call.remote_tag = invite.from_.tag
        call.routes = invite.elements("Record-Route")
        call.cseq = 100
        return call

    # -- descriptions ------------------------------------------------------------------------------------------

    def sdp(self, direction: str = "sendrecv") -> str:
        """The phone's own description, its version one up when the direction changed (RFC 3264 §8)."""
        if direction != self._direction:
            self._direction = direction
            self.version += 1
        lines = [
            "v=0", f"o={self.phone.user} 7 {self.version} {self.media}", "s=-", f"c={self.media}", "t=0 0",
            "m=audio 40000 RTP/AVP 0", "a=rtpmap:0 PCMU/8000", f"a={direction}",
        ]  # fmt: skip
        return "\r\n".join([*lines, ""])

    # -- requests ----------------------------------------------------------------------------------------------

    def request(self, method: str, body: str = "", *lines: str, cseq: int = 0, branch: str = "", target: str = "") -> str:
        """A request of this dialog with the next CSeq."""
        if not cseq:
            self.cseq += 1
            cseq = self.cseq
        remote_tag = f";tag={self.remote_tag}" if self.remote_tag else ""
        head = [
            f"{method} {target or self.target} SIP/2.0",
            self.phone.via(branch or self.phone.branch()),
            "Max-Forwards: 70",
        ]
        head += [f"Route: {route}" for route in self.routes]
        head += [f"From: {self.local};tag={self.tag}", f"To: {self.remote}{remote_tag}", f"Call-ID: {self.call_id}"]
        head += [f"CSeq: {cseq} {method}", f"Contact: {self.phone.contact}", *lines]
        return text(head, body)

    def invite(self, body: str = "", *lines: str) -> str:
        """An INVITE; a re-INVITE once the dialog stands."""
        self._sent = self.request("INVITE", body, *lines)
        return self._sent

    def offer(self, direction: str, *lines: str) -> str:
        """A re-INVITE with the phone's description in this direction."""
        return self.invite(self.sdp(direction), *lines)

    def with_credentials(self, challenge: Message, user: str = "", secret: str = "") -> str:
        """The last INVITE again: CSeq one up, new branch, credentials (RFC 3261 §22.2)."""
        method, uri = self._sent.split(None, 2)[:2]
        authorization = self.phone.credentials(challenge, method, uri, user, secret)
        kept = [line for line in self._sent.partition("\r\n\r\n")[0].split("\r\n")[1:] if not line.startswith(_OWN)]
        self._sent = self.request(method, self._sent.partition("\r\n\r\n")[2], *kept, authorization, target=uri)
        return self._sent

    def again(self) -> str:
        """The last INVITE, byte for byte: a retransmission."""
        return self._sent

    def ack(self, answer: Message, body: str = "") -> str:
        """The ACK: of its own for a 2xx, in the INVITE's transaction for a failure (RFC 3261 §13.2.2.4, §17.1.1.3)."""
        assert isinstance(answer, Response)
        if answer.status < 300:
            return self.request("ACK", body, cseq=answer.cseq)
        return self._in_transaction("ACK", answer)

    def cancel(self, *lines: str) -> str:
        return self._in_transaction("CANCEL", None, *lines)

    def _in_transaction(self, method: str, answer: Message | None, *lines: str) -> str:
        sent = self._sent.partition("\r\n\r\n")[0].split("\r\n")
        out = [f"{method} {sent[0].split()[1]} SIP/2.0"]
        for line in sent[1:]:
            name = line.partition(":")[0]
            if name == "To" and answer is not None:
                out.append(f"To: {answer.get('To')}")
            elif name == "CSeq":
                out.append(f"CSeq: {line.split()[1]} {method}")
            elif name in ("Via", "Max-Forwards", "Route", "From", "To", "Call-ID"):
                out.append(line)
        return text([*out, *lines])

    # -- responses ---------------------------------------------------------------------------------------------

    def answer(self, request: Message, status: int, body: str = "", *lines: str) -> str:
        """A response to a request that the phone got."""
        made = isinstance(request, Request) and request.method == "INVITE" and 100 < status < 300
        contact = [f"Contact: {self.phone.contact}"] if made else []
        return response(request, status, self.tag if status > 100 else "", body, *contact, *lines)

    def learn(self, answer: Message) -> None:
        """Take what a 2xx to our INVITE says about the dialog (RFC 3261 §12.1.2)."""
        self.remote_tag = answer.to.tag
        self.routes = answer.elements("Record-Route")[::-1]
        contact = answer.contact()
        assert contact is not None
        self.target = contact.uri


_OWN = (
    "Via:", "Max-Forwards:", "Route:", "From:", "To:", "Call-ID:", "CSeq:", "Contact:", "Content-",
    "Proxy-Authorization:", "Authorization:",
)  # fmt: skip


def register_text(phone: ScriptPhone, cseq: int, *lines: str, expires: int = 3600) -> str:
    """A REGISTER of the phone's own Contact."""
    head = [f"REGISTER sip:{DOMAIN} SIP/2.0", phone.via(phone.branch()), "Max-Forwards: 70", f"To: <{phone.aor}>"]
    head += [f"From: <{phone.aor}>;tag=r{phone.name}", f"Call-ID: register-{phone.name}", f"CSeq: {cseq} REGISTER"]
    head += [f"Contact: {phone.contact}", f"Expires: {expires}", *lines]
    return text(head)
