"""Why a party was refused here and not by the other one, for the trace: what several files say (`Why` of b2bua/sip/why.py)."""

from __future__ import annotations

from typing import Final

from b2bua.sip.why import Why

GAVE_UP: Final[Why] = (None, "cancelled: who asked has given up (RFC 3261 §9.2)")
HUNG_UP: Final[Why] = (None, "cancelled: who asked has hung up before the answer (RFC 3261 §15.1.2)")
CALL_OVER: Final[Why] = (None, "B2BUA: the call is over before the answer")
CHANGES: Final = "glare: another party is about to take the other one's place"
BY_A_FEATURE: Final[Why] = (None, "B2BUA: refused here by a feature, not by the other party")
BY_FEATURE: Final = "feature {}: refuses, {}"
"""With the feature's name and the status."""
NOBODY_ANSWERED: Final = "B2BUA: the other party gave no final answer, which counts as {} (RFC 3261 §8.1.3.1)"
"""With the status."""
