"""Faults on purpose, put into a whole server: those of the settings; more come by command."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable

from b2bua.config.settings import ConfigError
from b2bua.faults.fault import Fault
from b2bua.faults.faults import Faults
from b2bua.faults.installation import Installation, Place
from b2bua.feature_server.feature_faults import FeatureFaults
from b2bua.session_manager.authenticator import Authenticator, challenging
from b2bua.session_manager.links import Links
from b2bua.session_manager.trunks import Trunks
from b2bua.sip.flow import Flow
from b2bua.sip.message import Request, Response


def faults_of(
    place: Place, faults: Iterable[Fault], features: FeatureFaults, log: Callable[..., object],
    links: Links, trunks: Trunks | None, authenticator: Authenticator,
) -> Faults:  # fmt: skip
    """ConfigError for one of the settings that is none."""

    def trunk(flow: Flow) -> str:
        found = None if trunks is None else trunks.entities.of(flow)
        return "" if found is None else found.name

    def challenge(request: Request, stale: bool) -> Response:
        return challenging(request, authenticator.challenge(request, stale), place.layer.identifiers.tag())

    def own(flow: Flow) -> bool:
        return links.of(flow) is not None

    installation = Installation(
        place, own, trunk, challenge, lambda seed: random.Random(seed).random, log, features
    )
    for fault in faults:
        try:
            installation.faults.add(fault)
        except ValueError as error:
            raise ConfigError(f"faults: {error}") from None
    return installation.faults
