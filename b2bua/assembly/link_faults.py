"""The faults on purpose of a feature server in a process of its own: they act on its link, at its end."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable

from b2bua.config.settings import ConfigError
from b2bua.faults.fault import CHALLENGE, Fault
from b2bua.faults.faults import Faults
from b2bua.faults.installation import Installation, Place
from b2bua.feature_server.feature_faults import FeatureFaults
from b2bua.sip.message import Request, Response


def link_faults(place: Place, faults: Iterable[Fault], features: FeatureFaults, log: Callable[..., object]) -> Faults:
    """Those of the settings; more come by command. ConfigError: one cannot act here.

    All that passes is between Session Manager and us, so `user` is the party of the leg: whom the message names for that side.
    """
    installation = Installation(
        place, lambda flow: False, lambda flow: "", _no_challenge, lambda seed: random.Random(seed).random, log, features,
        check_on_link, lambda flow, users: users[0],
    )  # fmt: skip
    for fault in faults:
        try:
            installation.faults.add(fault)
        except ValueError as error:
            raise ConfigError(f"faults: {error}") from None
    return installation.faults


def check_on_link(fault: Fault) -> None:
    """ValueError for what only Session Manager can do: it challenges, and knows the trunks."""
    if fault.action == CHALLENGE:
        raise ValueError(f"fault '{fault}': a feature server challenges nobody; Session Manager's faults do")
    if fault.trunk:
        raise ValueError(f"fault '{fault}': a feature server knows no trunks; Session Manager's faults do")


def _no_challenge(request: Request, stale: bool) -> Response:
    raise AssertionError("no such fault stands")
