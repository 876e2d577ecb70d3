"""What state a call is in, and which of its two parties a leg is.

They are text, not members of an enum: features compare them, metrics, the API and call detail records show them. As literals
mypy knows each of them, and finds a comparison with what is none.
"""

from __future__ import annotations

from typing import Final, Literal

CallState = Literal["trying", "early", "confirmed", "ended"]
TRYING: Final = "trying"
EARLY: Final = "early"
CONFIRMED: Final = "confirmed"
ENDED: Final = "ended"

Role = Literal["caller", "callee"]
CALLER: Final = "caller"
CALLEE: Final = "callee"
