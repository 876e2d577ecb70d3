"""Max-Forwards of a request that starts here, or came without one (RFC 3261 §8.1.1.6, §16.6 step 3)."""

from __future__ import annotations

from typing import Final

MAX_FORWARDS: Final = "70"
