"""bench.py runs as a script, so its package is found from this directory; the tests need the same."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
