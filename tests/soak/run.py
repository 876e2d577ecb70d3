"""`python -m tests.soak.run [--seconds S] [--pairs N] [--share P] [--seed N]`: see soak.py. Status 0 when nothing is wrong."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from tests.soak.soak import Soak


def main() -> int:
    """Play, print, and say by the exit status whether all is well."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="how long the phones call; the end takes up to 100 s more")
    parser.add_argument("--pairs", type=int, default=6, help="pairs of phones")
    parser.add_argument("--share", type=float, default=0.05, help="how much of all datagrams is lost, doubled, delayed")
    parser.add_argument("--seed", type=int, default=1, help="of what is random")
    arguments = parser.parse_args()
    from twisted.internet import reactor as installed

    reactor: Any = installed
    with tempfile.TemporaryDirectory(prefix="b2bua-soak-") as made:
        soak = Soak(reactor, Path(made), arguments.seconds, arguments.pairs, arguments.share, arguments.seed)

        def over(result: object) -> None:
            if isinstance(result, Failure):
                soak.flaws.append(f"{result.getErrorMessage()}")
                if not result.check(AssertionError):
                    result.printTraceback()
            soak.stop()
            reactor.callLater(0.1, reactor.stop)

        reactor.callWhenRunning(lambda: Deferred.fromCoroutine(soak.play()).addBoth(over))
        reactor.run()
    print("\n".join(soak.figures()))
    for flaw in soak.flaws:
        print(f"soak: {flaw}")
    print("soak: failed" if soak.flaws else "soak: nothing is left, everything adds up")
    return 1 if soak.flaws else 0


if __name__ == "__main__":
    sys.exit(main())
