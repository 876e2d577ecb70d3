"""Named tuples by the dozen for each message."""

from __future__ import annotations

from typing import Final

new_tuple: Final = tuple.__new__
"""Makes a named tuple without the detour over its own constructor, which is written in Python."""
