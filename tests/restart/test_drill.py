"""The drill itself: with a store that forgets it finds losses, or its silence would mean nothing; `make drill` is the rest."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.restart.drill import Drill, told

KINDS = {"registration", "subscription", "publication", "call"}


def test_a_store_in_memory_loses_what_was_acknowledged(tmp_path: Path) -> None:
    drill = Drill(tmp_path, seed=1, store="memory:", rate=0, patience=2.0)
    losses = asyncio.run(drill.run(kills=2, seconds=60.0))
    assert drill.kills == 2
    assert {loss.event.kind for loss in losses} == KINDS
    text = told(drill, losses, 1)
    assert "LOST (seed 1): call" in text and " -> INVITE" in text and text.endswith("lost")
