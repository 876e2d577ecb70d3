"""Print the names of the tests that failed when parts of the tests ran side by side, one a line, for a run of them alone.

    python tests/again.py FOLDER

FOLDER has for each part pytest's cache, and in PART.ended pytest's exit status. It ends with 2 and a line on stderr where such
a run would tell nothing: nothing failed, a part did not come to its end, or so many failed that a busy machine is no reason.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Final

AT_MOST: Final = 5
RAN: Final = ("0", "1")
"""pytest's exit status when all passed, and when some failed."""


def failed(folder: Path) -> list[str]:
    """Names of the tests that failed; ValueError says why they need not be run again."""
    parts = sorted(part for part in folder.glob("*") if part.is_dir())
    for part in parts:
        ended = part.with_name(f"{part.name}.ended")
        status = ended.read_text().strip() if ended.exists() else "nothing"
        if status not in RAN:
            raise ValueError(f"{part.name} ended with {status}")
    caches = (part / "v/cache/lastfailed" for part in parts)
    names = sorted(name for cache in caches if cache.exists() for name in json.loads(cache.read_text()))
    if not names:
        raise ValueError("no test has failed")
    if len(names) > AT_MOST:
        raise ValueError(f"{len(names)} tests failed, more than {AT_MOST}")
    return names


if __name__ == "__main__":
    try:
        print("\n".join(failed(Path(sys.argv[1]))))
    except ValueError as error:
        sys.exit(f"nothing to run again: {error}")
