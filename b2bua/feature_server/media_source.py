"""How the sources of media are written (contract.py, `Media`): in settings, and by features."""

from __future__ import annotations

import re
from typing import Final

ECHO: Final = "echo"
MELODY: Final = "melody"
_TONE: Final = re.compile(r"tone:([0-9]{3,4})")
LOWEST: Final = 100
HIGHEST: Final = 3400
"""Hertz that a telephone carries."""


def check_source(text: str) -> str:
    """The text; ValueError, a sentence, where it names no source. Whether a file is there is not looked at."""
    tone = _TONE.fullmatch(text)
    if tone is not None and LOWEST <= int(tone[1]) <= HIGHEST:
        return text
    if text in (ECHO, MELODY) or (text.startswith("file:") and len(text) > len("file:")):
        return text
    raise ValueError(f"{text!r} is none of echo, melody, tone:HERTZ ({LOWEST} to {HIGHEST}), file:PATH")
