"""SIPp scenarios as ladders: `Caller().dial("6002").reinvite("sendonly").bye()` is one phone's side of a call.

The messages stand in scenarios/*.xml; here they are put in order, with the CSeqs, branches and o= versions of a phone
that does it right. A scenario is linear: a message that it does not expect makes SIPp fail the call. The injection file
has in field0 the phone's user, in field1 its credentials.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, Self

from tests.interop.server import DOMAIN

FOLDER: Final = Path(__file__).resolve().parent / "scenarios"
HOLD_REASON: Final = 'Reason: avaya-action;cause=1;text="Hold"'
_REASONS: Final = {
    180: "Ringing", 183: "Session Progress", 200: "OK", 302: "Moved Temporarily", 481: "Call/Transaction Does Not Exist",
    486: "Busy Here", 488: "Not Acceptable Here", 491: "Request Pending", 487: "Request Terminated",
    500: "Server Internal Error", 603: "Decline",
}  # fmt: skip


def _fragment(name: str) -> str:
    return (FOLDER / name).read_text()


class Script:
    """One phone's side of one dialog; each verb appends to it and returns it."""

    def __init__(self, local: str, remote: str, uri: str, cseq: int) -> None:
        self._elements: list[str] = []
        self._local = local
        self._remote = remote
        self._uri = uri
        self._call_id = "[call_id]"
        self._cseq = cseq
        self._invite_cseq = 0
        self._branch = 0
        self._version = 1
        self._routes = False
        self._variables: set[str] = set()
        self._is_challenged = True

    def xml(self) -> str:
        used = f'  <Reference variables="{",".join(sorted(self._variables))}"/>\n' if self._variables else ""
        elements = "".join(self._elements)
        return f'<?xml version="1.0" encoding="UTF-8"?>\n<scenario name="phone">\n{elements}{used}</scenario>\n'

    def unchallenged(self) -> Self:
        """Behind a trunk: nothing that it sends is answered by a challenge."""
        self._is_challenged = False
        return self

    # -- out of dialog -----------------------------------------------------------------------------------------

    def register(
        self, contact: str = "<sip:[field0]@[local_ip]:[local_port]>", expires: int = 600, challenge: int = 401
    ) -> Self:
        """RFC 3665 §2.1: REGISTER, 401, REGISTER with credentials, 200."""
        headers = [f"Contact: {contact}", f"Expires: {expires}"]
        self._uri = f"sip:{DOMAIN}"
        self._challenged("REGISTER", challenge, headers)
        return self.receive(200)

    def ask(self, method: str, challenge: int, status: int, *headers: str) -> Self:
        """Any request, in the call or out of it: challenged so or (0) not at all, then answered with this status."""
        self._challenged(method, challenge, list(headers))
        return self.receive(status)

    def register_refused(self) -> Self:
        """REGISTER whose credentials are not accepted: the challenge comes again."""
        self._uri = f"sip:{DOMAIN}"
        self._challenged("REGISTER", 401, ["Contact: <sip:[field0]@[local_ip]:[local_port]>"])
        return self.receive(401)

    def subscribe(self, status: int = 200, event: str = "dialog", *more: str, challenge: int = 401) -> Self:
        """Watch the remote party's lamp, or another event; `more`: further headers."""
        contact = "Contact: <sip:[field0]@[local_ip]:[local_port]>"
        headers = [f"Event: {event}", "Expires: 600", contact, *(more or ("Accept: application/dialog-info+xml",))]
        self._challenged("SUBSCRIBE", challenge, headers)
        return self.receive(status)

    def answer_notifies(self) -> Self:
        """Answer NOTIFYs until the process is ended."""
        self._elements.append(_fragment("notified.xml"))
        return self

    # -- any dialog --------------------------------------------------------------------------------------------

    def pause(self, milliseconds: int) -> Self:
        self._elements.append(f'  <pause milliseconds="{milliseconds}"/>\n')
        return self

    def wait(self) -> Self:
        """Until the test lets it go on (`Sipp.go_on`)."""
        return self.receive("INFO")

    def receive(self, message: int | str, body: str = "", **options: str) -> Self:
        """A message that must come; `body`: a regular expression that its body must match."""
        kind = "request" if isinstance(message, str) else "response"
        attributes = "".join(f' {key}="{value}"' for key, value in options.items())
        actions = ""
        if body:
            self._variables.add("body")
            actions = f'<action><ereg regexp="{body}" search_in="body" check_it="true" assign_to="body"/></action>'
        self._elements.append(f'  <recv {kind}="{message}"{attributes}>{actions}</recv>\n')
        return self

    def reinvite(self, direction: str, *headers: str, status: int = 200, challenge: int = 407) -> Self:
        """A re-INVITE, challenged, with the next o= version; the session stays as it was when `status` is no 200."""
        self._version += 1
        return self._reinvite(self._sdp(direction), status, *headers, challenge=challenge)

    def reinvite_without_media(self, status: int) -> Self:
        """A re-INVITE whose description has lost its m= line; refused, so the o= version is free again."""
        sdp = self._sdp("sendonly").partition("m=")[0].rstrip()
        return self._reinvite(sdp, status)

    def _reinvite(self, sdp: str, status: int, *headers: str, challenge: int = 407) -> Self:
        contact = "Contact: <sip:[field0]@[local_ip]:[local_port]>"
        self._challenged("INVITE", challenge, [contact, *headers], sdp)
        self.receive(100, optional="true")
        self.receive(status)
        if status >= 300:
            return self._ack(self._branch)
        return self._ack()

    def reinvited(self, direction: str, answer: str = "", status: int = 200) -> Self:
        """The other side's re-INVITE with this direction, and our answer or refusal."""
        self.receive("INVITE", body=f"a={direction}")
        if status != 200:
            self._respond(status)
            return self.receive("ACK")
        self._version += 1
        self._respond(200, sdp=self._sdp(answer))
        return self.receive("ACK")

    def bye(self, status: int = 200, challenge: int = 0) -> Self:
        return self.ask("BYE", challenge, status)

    def update(self, *headers: str) -> Self:
        """A session refresh (RFC 4028 §7.4): UPDATE without an offer."""
        self._request("UPDATE", ["Contact: <sip:[field0]@[local_ip]:[local_port]>", *headers])
        return self.receive(200)

    def update_with(self, direction: str, answer: str) -> Self:
        """An UPDATE with an offer (RFC 3311)."""
        self._version += 1
        self._request("UPDATE", ["Contact: <sip:[field0]@[local_ip]:[local_port]>"], self._sdp(direction))
        return self.receive(200, body=f"a={answer}")

    def updated_with(self, direction: str, answer: str) -> Self:
        """The other side's UPDATE with an offer, and our answer."""
        self.receive("UPDATE", body=f"a={direction}")
        self._version += 1
        return self._respond(200, sdp=self._sdp(answer, 42000), repeated=False)

    def updated(self) -> Self:
        """The server's session refresh, answered."""
        self.receive("UPDATE")
        return self._respond(200)

    def asked(self, method: str) -> Self:
        """The other side's request, answered."""
        self.receive(method)
        return self._respond(200)

    def byed(self) -> Self:
        self.receive("BYE")
        return self._respond(200)

    # -- parts -------------------------------------------------------------------------------------------------

    def _challenged(self, method: str, status: int, headers: list[str], sdp: str = "") -> None:
        """A request without credentials, its challenge (0: none), and the same with credentials on CSeq + 1."""
        self._request(method, headers, sdp)
        if not (self._is_challenged and status):
            return
        self.receive(100, optional="true")
        self.receive(status, auth="true")
        if method == "INVITE":
            self._ack(self._branch)
        self._request(method, [*headers, "[field1]"], sdp)

    def _request(self, method: str, headers: list[str], sdp: str = "", branch: int = 0, cseq: int = 0) -> None:
        if not branch:
            self._branch += 1
        if method not in ("ACK", "CANCEL"):
            self._cseq += 1
        if method == "INVITE":
            self._invite_cseq = self._cseq
        lines = ["[routes]"] if self._routes else []
        lines += headers
        lines += ["Content-Type: application/sdp", "Content-Length: [len]"] if sdp else ["Content-Length: 0"]
        self._elements.append(
            _fragment("request.xml").format(
                retrans="" if method == "ACK" else ' retrans="500"',
                method=method,
                uri=self._uri,
                branch=branch or self._branch,
                local=self._local,
                remote=self._remote,
                call_id=self._call_id,
                cseq=cseq or (self._invite_cseq if method in ("ACK", "CANCEL") else self._cseq),
                headers="\n      ".join(lines),
                body=sdp,
            )
        )

    def _ack(self, branch: int = 0) -> Self:
        """The ACK of a 2xx; or with a branch that of a failure, a part of the INVITE's transaction."""
        self._request("ACK", [], branch=branch)
        return self

    def _respond(
        self, status: int, sdp: str = "", tag: str = "", headers: tuple[str, ...] = (), repeated: bool = True
    ) -> Self:
        """`repeated`: until the next message comes, where there is a description."""
        lines = ["Contact: <sip:phone@[local_ip]:[local_port]>"] if 101 <= status < 300 else []
        lines += headers
        lines += ["Content-Type: application/sdp", "Content-Length: [len]"] if sdp else ["Content-Length: 0"]
        self._elements.append(
            _fragment("response.xml").format(
                retrans=' retrans="500"' if sdp and repeated else "",
                status=status,
                reason=_REASONS[status],
                tag=tag,
                headers="\n      ".join(lines),
                body=sdp,
            )
        )
        return self

    def _sdp(self, direction: str, media: int = 40000) -> str:
        text = _fragment("session.sdp").format(version=self._version, direction=direction, media=media)
        return text.rstrip("\n").replace("\n", "\n      ")

    def _noting(self, message: int | str, *notes: tuple[str, str, str], **options: str) -> None:
        """Receive, and keep header values: (variable, header, regular expression)."""
        actions = "".join(
            f'<ereg regexp="{pattern}" search_in="hdr" header="{header}:"'
            f' occurrence="{2 if variable == "via2" else 1}" check_it="true" assign_to="{variable}"/>'
            for variable, header, pattern in notes
        )
        self._variables.update(variable for variable, _, _ in notes)
        kind = "request" if isinstance(message, str) else "response"
        attributes = "".join(f' {key}="{value}"' for key, value in options.items())
        self._elements.append(f'  <recv {kind}="{message}" rrs="true"{attributes}><action>{actions}</action></recv>\n')


_ADDRESS: Final = "[^ ].*"
_URI: Final = "sips?:[^;&gt;]*[^&gt;]*"
_OF_PEER: Final = (("uri", "Contact", _URI), ("peer", "From", _ADDRESS), ("me", "To", _ADDRESS))
_OF_INVITE: Final = (
    *_OF_PEER, ("cseq", "CSeq", _ADDRESS), ("via1", "Via", _ADDRESS), ("via2", "Via", _ADDRESS),
    ("route", "Record-Route", _ADDRESS),
)  # fmt: skip
"""What a callee keeps of an INVITE, to answer it after another request came."""


class Caller(Script):
    """The phone that dials; also whoever registers or subscribes."""

    def __init__(self, to: str = "[field0]", domain: str = DOMAIN, own_domain: str = DOMAIN) -> None:
        me = f"<sip:[field0]@{own_domain}>;tag=[pid]a[call_number]"
        self._callee = f"<sip:{to}@{domain}>"
        super().__init__(me, self._callee, f"sip:{to}@{domain}", 0)

    def invite(
        self, *headers: str, credentials: bool = True, direction: str = "sendrecv", challenge: int = 407
    ) -> Self:
        """The INVITE up to the request with credentials; its answers are the caller's to `receive`."""
        contact = "Contact: <sip:[field0]@[local_ip]:[local_port]>"
        sdp = self._sdp(direction)
        self._request("INVITE", [contact, *headers], sdp)
        self.receive(100, optional="true")
        if not (self._is_challenged and challenge):
            return self
        self.receive(challenge, auth="true")
        self._remote = f"{self._callee}[peer_tag_param]"
        self._ack(self._branch)
        self._remote = self._callee
        if credentials:
            self._request("INVITE", [contact, *headers, "[field1]"], sdp)
            self.receive(100, optional="true")
        return self

    def dial(self, *headers: str, challenge: int = 407) -> Self:
        """A whole call set-up; 180 or not."""
        self.invite(*headers, challenge=challenge)
        self.receive(180, optional="true")
        return self.connected()

    def connected(self) -> Self:
        """The 200, and our ACK."""
        self._noting(200, ("uri", "Contact", _URI), ("peer", "To", _ADDRESS))
        self._uri, self._remote, self._routes = "[$uri]", "[$peer]", True
        self._ack()
        return self

    def rung(self, phones: int) -> Self:
        """180 of up to that many phones, in any order."""
        for _ in range(phones):
            self.receive(180, optional="true")
        return self

    def progressed(self, body: str = "") -> Self:
        """A reliable 183, and its PRACK (RFC 3262)."""
        self._noting(183, ("uri", "Contact", _URI), ("peer", "To", _ADDRESS), ("rseq", "RSeq", "[0-9]+"))
        self._uri, self._remote, self._routes = "[$uri]", "[$peer]", True
        self._request("PRACK", [f"RAck: [$rseq] {self._invite_cseq} INVITE"])
        return self.receive(200)

    def refused(self, status: int) -> Self:
        """A final failure to the INVITE."""
        self.receive(180, optional="true")
        self.receive(status)
        self._remote = f"{self._callee}[peer_tag_param]"
        self._ack(self._branch)
        return self

    def cancel(self) -> Self:
        """CANCEL while it rings: 200 to it, 487 to the INVITE (RFC 3261 §9.1)."""
        self._request("CANCEL", [], branch=self._branch)
        self.receive(200)
        self.receive(487)
        self._remote = f"{self._callee}[peer_tag_param]"
        self._ack(self._branch)
        return self


class Callee(Script):
    """The phone that is called."""

    def __init__(self) -> None:
        super().__init__("[$me];tag=[pid]b[call_number]", "[$peer]", "[$uri]", 100)
        self._tag = ";tag=[pid]b[call_number]"

    def ring(self, cancelled: bool = False) -> Self:
        """The INVITE, and 180; `cancelled`: it will be, so keep what its 487 needs."""
        self._noting("INVITE", *(_OF_INVITE if cancelled else _OF_PEER))
        self._routes = True
        self._respond(180, tag=self._tag)
        return self

    def progress(self, direction: str = "sendrecv") -> Self:
        """The INVITE, a reliable 183 with our answer, its PRACK and the 200 to that (RFC 3262)."""
        self._noting("INVITE", *_OF_INVITE)
        self._routes = True
        headers = ("Require: 100rel", "RSeq: 7", "Allow: INVITE, ACK, BYE, CANCEL, PRACK, UPDATE")
        self._respond(183, sdp=self._sdp(direction, 42000), tag=self._tag, headers=headers)
        self.receive("PRACK")
        return self._respond(200)

    def pick_up(self) -> Self:
        """200 to the INVITE that came before other requests."""
        self._elements.append(_fragment("late.xml").format(tag=self._tag, body=self._sdp("sendrecv", 42000)))
        return self.receive("ACK")

    def accept(self, *headers: str) -> Self:
        self._respond(200, sdp=self._sdp("sendrecv", 42000), tag=self._tag, headers=headers)
        self.receive("ACK")
        return self

    def refuse(self, status: int, *headers: str) -> Self:
        self._respond(status, tag=self._tag, headers=headers)
        self.receive("ACK")
        return self

    def cancelled(self) -> Self:
        """CANCEL: 200 to it, 487 to the INVITE with that one's two Vias (ours of both roles) and CSeq."""
        self.receive("CANCEL")
        self._respond(200, tag=self._tag)
        self._elements.append(_fragment("terminated.xml").format(tag=self._tag))
        self.receive("ACK")
        return self

    def accept_late(self) -> Self:
        """CANCEL, but we have just answered: 200 to both (RFC 3261 §9.2), then our dialog is ended."""
        self.receive("CANCEL")
        self._respond(200, tag=self._tag)
        self._elements.append(_fragment("late.xml").format(tag=self._tag, body=self._sdp("sendrecv", 42000)))
        self.receive("ACK")
        return self.byed()
