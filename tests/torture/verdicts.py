"""What a running server makes of every message of RFC 4475 and RFC 5118, and which sentence wants it so.

Two servers judge each message. The one challenges, as a server does with strangers; the other knows the sender, so that
what is in the message decides. Both have the users alice, bob and plain of example.com; bob is registered.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from tests.torture import rfc4475_invalid, rfc4475_semantics, rfc4475_valid, rfc5118

RFC_4475: Final = (*rfc4475_valid.CASES, *rfc4475_invalid.CASES, *rfc4475_semantics.CASES)
CASES: Final = (*RFC_4475, *rfc5118.CASES)

MALFORMED: Final = "malformed"
STRAY: Final = "stray response"
GOES_ON: Final = "goes on to bob"
"""The known sender's request is forwarded: to the callee by way of Communication Manager, or to the phone at once."""
CLOSED: Final = "closed"
WAITS: Final = "waits"


class Verdict(NamedTuple):
    """A status, or the reason under which a message is dropped."""

    stranger: int | str
    """What somebody without credentials is told; a challenge where the message is well formed."""
    known: int | str
    """What a known sender is told, or that it goes on."""
    why: str
    stream: tuple[int | str, str] = (0, "")
    """Over a connection, where that differs: what a stranger is told, and what becomes of the connection."""


def _refused(status: int, why: str, stream: tuple[int | str, str] = (0, "")) -> Verdict:
    """Nobody is asked who he is before the message is one (RFC 3261 §16.3: valid syntax comes first)."""
    return Verdict(status, status, why, stream)


def _dropped(reason: str, why: str) -> Verdict:
    return Verdict(reason, reason, why)


VERDICTS: Final[dict[str, Verdict]] = {
    # -- RFC 4475 §3.1.1: odd and well formed ------------------------------------------------------------------------
    "wsinv": _refused(
        481, "§3.1.1.1: well formed for everybody. Its To tag is of no dialog here (RFC 3261 §12.2.2).",
    ),
    "intmeth": Verdict(407, 404, "§3.1.1.2: a proxy forwards to the unusual user where it is defined, else 404."),
    "esc01": Verdict(407, 403, "§3.1.1.3: what the user means is for example.net alone; we relay to no other domain."),
    "escnull": Verdict(
        401, 403, "§3.1.1.4: the address of record is not cut short at its NUL: it is not the sender's (RFC 3261 §10.3)."
    ),
    "esc02": Verdict(407, 403, "§3.1.1.5: an unknown method, not REGISTER; forwarded or refused by its Request-URI."),
    "lwsdisp": Verdict(407, GOES_ON, "§3.1.1.6: taken as well formed."),
    "longreq": Verdict(407, GOES_ON, "§3.1.1.7: well formed, however long."),
    "dblreq": Verdict(
        401, 200, "§3.1.1.8: the REGISTER as usual, what follows it in the datagram is noise (RFC 3261 §18.3).",
        (401, "the INVITE behind it is a message of its own"),
    ),
    "semiuri": Verdict(407, 404, "§3.1.1.9: the whole user part, parameter included, is looked up; nobody is named so."),
    "transports": Verdict(407, GOES_ON, "§3.1.1.10: as if the further Vias said UDP."),
    "mpart01": Verdict(407, 403, "§3.1.1.11: well formed, whatever the body is; its Request-URI is of another domain."),
    "unreason": _dropped(STRAY, "§3.1.1.12: well formed; a response to nothing is dropped (RFC 6026 §8.9)."),
    "noreason": _dropped(STRAY, "§3.1.1.13: well formed; a response to nothing is dropped (RFC 6026 §8.9)."),
    # -- RFC 4475 §3.1.2: mistakes in the syntax ---------------------------------------------------------------------
    "badinv01": _dropped(MALFORMED, "§3.1.2.1 wants 400; its only Via is what is broken, so there is nowhere to send it."),
    "clerr": _refused(
        400, "§3.1.2.2: 400 over UDP; on a stream nothing but to wait, and close when no more comes.", ("", WAITS)
    ),
    "ncl": _refused(400, "§3.1.2.3: an error; a stream cannot be framed any more and is closed.", (400, CLOSED)),
    "ncl (five)": _refused(400, "§3.1.2.3: no number is as a negative one.", (400, CLOSED)),
    "scalar02": _refused(400, "§3.1.2.4: 400 for the CSeq."),
    "scalarlg": _dropped(MALFORMED, "§3.1.2.5: discarded."),
    "quotbal": _refused(400, "§3.1.2.6: 400."),
    "ltgtruri": _refused(400, "§3.1.2.7: always reasonable to refuse with 400."),
    "lwsruri": _refused(400, "§3.1.2.8: 400."),
    "lwsstart": _refused(400, "§3.1.2.9: may be refused as malformed."),
    "trws": _refused(400, "§3.1.2.10: may be refused as malformed."),
    "escruri": Verdict(407, GOES_ON, "§3.1.2.11: may be ignored; the escaped headers must not be in what is forwarded."),
    "baddate": Verdict(407, GOES_ON, "§3.1.2.12: not to be refused by who does not use the Date."),
    "regbadct": Verdict(401, 400, "§3.1.2.13: reasonable to refuse with 400."),
    "badaspec": Verdict(407, GOES_ON, "§3.1.2.14: the blanks may be ignored; To is not what a proxy routes by."),
    "baddn": _refused(400, "§3.1.2.15: always reasonable to refuse with 400."),
    "badvers": _refused(505, "§3.1.2.16: 505."),
    "mismatch01": _refused(400, "§3.1.2.17: 400."),
    "mismatch02": _refused(400, "§3.1.2.18: 501, and 400 is acceptable too."),
    "bigcode": _dropped(MALFORMED, "§3.1.2.19: dropped."),
    # -- RFC 4475 §3.2 to §3.4: what the layers above are asked ------------------------------------------------------
    "badbranch": Verdict(407, GOES_ON, "§3.2.1: may fall back to how RFC 2543 tells transactions apart."),
    "insuf": _refused(400, "§3.3.1: ideally 400."),
    "unkscm": _refused(416, "§3.3.2: 416, and no look at the To."),
    "novelsc": _refused(416, "§3.3.3: 416 where the scheme is never taken."),
    "unksm2": Verdict(401, 400, "§3.3.4: a registrar refuses with 400, after it knows who asks (RFC 3261 §10.3)."),
    "bext01": _refused(420, "§3.3.5: 420 that lists what a proxy does not know, of Proxy-Require."),
    "invut": Verdict(407, GOES_ON, "§3.3.6: a proxy treats it as any INVITE; the body is the callee's to judge."),
    "regaut01": Verdict(401, 401, "§3.3.7: a new challenge with a scheme that we know."),
    "multi01": _refused(400, "§3.3.8: 400."),
    "mcl01": _refused(400, "§3.3.9: an error; a stream cannot be framed any more and is closed.", (400, CLOSED)),
    "bcast": _dropped(STRAY, "§3.3.10: dropped, and nothing is sent to a broadcast address."),
    "zeromf": _refused(483, "§3.3.11: a proxy answers 483, before it asks who it is (RFC 3261 §16.3)."),
    "cparam01": Verdict(401, 200, "§3.3.12: registered, the parameter is the Contact's."),
    "cparam02": Verdict(401, 200, "§3.3.13: registered, the parameter is the URI's."),
    "regescrt": Verdict(401, 200, "§3.3.14: registered with the escaped header in its URI."),
    "sdp01": Verdict(407, 406, "§3.3.15: 406 with Warning 399, as the answer would be of a type that is not taken."),
    "inv2543": Verdict(
        407, 400, "§3.4.1: taken up to what makes a dialog; an INVITE without Contact makes none (RFC 3261 §8.1.1.8).",
        (400, CLOSED),  # a stream needs the Content-Length that it does not have (RFC 3261 §20.14)
    ),
    # -- RFC 5118 §4 -------------------------------------------------------------------------------------------------
    "ipv6-good": Verdict(401, 200, "RFC 5118 §4.1: well formed."),
    "ipv6-bad": _refused(400, "RFC 5118 §4.2: 400."),
    "port-ambiguous": Verdict(401, 403, "RFC 5118 §4.3: well formed, and another address than the sender meant."),
    "port-unambiguous": Verdict(401, 200, "RFC 5118 §4.4: well formed."),
    "via-received-param-with-delim": _refused(481, "RFC 5118 §4.5: the Via is read. A BYE of no dialog (RFC 3261 §15.1.2)."),
    "via-received-param-no-delim": Verdict(407, 200, "RFC 5118 §4.5: the Via is read; OPTIONS to ourselves."),
    "ipv6-in-sdp": Verdict(407, GOES_ON, "RFC 5118 §4.6: well formed."),
    "mult-ip-in-header": _refused(481, "RFC 5118 §4.7: well formed. A BYE of no dialog (RFC 3261 §15.1.2)."),
    "mult-ip-in-sdp": Verdict(407, GOES_ON, "RFC 5118 §4.8: well formed."),
    "ipv4-mapped-ipv6": Verdict(407, GOES_ON, "RFC 5118 §4.9: well formed."),
    "ipv6-bug-abnf-3-colons": Verdict(407, 403, "RFC 5118 §4.10: read in spite of its extra colon; another's address."),
    "ipv6-correct-abnf-2-colons": Verdict(407, 403, "RFC 5118 §4.10: well formed; another's address."),
}  # fmt: skip
