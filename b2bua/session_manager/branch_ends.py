"""Why a branch of a proxied request ended as it did, for the trace; each names the clause."""

from __future__ import annotations

from typing import Final

from b2bua.sip.why import Why

NOBODY_SENT: Final[Why] = (None, "store: it does not take the record of this branch, so nothing was sent")
GIVEN_UP: Final[Why] = (None, "cancelled: nobody waits for the answer any more")
CUT_SHORT: Final[Why] = (None, "transaction: its answer has no Via but ours, so what it means is not known (RFC 3261 §16.7)")
RINGS_ON: Final[Why] = (None, "timer C: rang for longer than a proxy waits (RFC 3261 §16.8)")
SILENT: Final[Why] = (None, "timer: the next hop said nothing in the time that it has")
NO_ANSWER: Final = "timer {}: no final answer within 64·T1 (32 s) (RFC 3261 §17.1)"
NO_CONNECTION: Final[Why] = (None, "transport: the connection broke, or there was none to send it on (RFC 3261 §8.1.3.1)")
FLOW_GONE: Final[Why] = (None, "location: a proxy before the phone has no connection to it any more (RFC 5626 §7)")
NO_TARGET: Final[Why] = (None, "next hop: none of the targets that its name has has served it (RFC 3263 §4.3)")
OVERLOADED: Final = "proxy: a 503 speaks of one server alone, so it becomes 500 (RFC 3261 §16.7)"
ASKED_TRUNK: Final[Why] = (None, "challenge: the trunk asks who we are, and there are no credentials for that")
CALLER_LEFT: Final[Why] = (None, "cancelled: who asked has given up (RFC 3261 §16.10)")
PASSED_BACK: Final[Why] = (None, "proxy: passed back along the Vias at once (RFC 3261 §16.7 step 5)")
BEST: Final[Why] = (None, "proxy: the best of the final answers, passed back along the Vias (RFC 3261 §16.7 step 6)")
ANOTHER_TOOK: Final[Why] = (None, "cancelled: another branch has decided (RFC 3261 §16.7)")
