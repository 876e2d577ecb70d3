"""What only the garbage collector would free: nothing, of calls. While many stand no garbage is collected (b2bua/pauses.py)."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_OURS: Final = ("b2bua.feature_server.", "b2bua.session_manager.", "b2bua.transaction.", "b2bua.dialog.", "plugins.")


@contextmanager
def left_to_the_collector() -> Iterator[Counter[str]]:
    """Inside nobody collects; behind it the names of our types, with how many of them a collection found."""
    found: Counter[str] = Counter()
    enabled = gc.isenabled()
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield found
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        found.update(type(one).__qualname__ for one in gc.garbage if type(one).__module__.startswith(_OURS))
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.unfreeze()
        if enabled:
            gc.enable()
