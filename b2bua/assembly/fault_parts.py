"""Faults on purpose, put into a whole server: those of the settings; more come by command."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from b2bua.config.settings import ConfigError
from b2bua.faults.faults import Faults
from b2bua.faults.installation import Installation
from b2bua.feature_server.feature_faults import FeatureFaults
from b2bua.session_manager.authenticator import challenging
from b2bua.sip.flow import Flow
from b2bua.sip.message import Request, Response

if TYPE_CHECKING:
    from b2bua.service import Server


def faults_of(server: Server) -> Faults:
    """ConfigError for one of the settings that is none."""
    trunks, layer, authenticator = server._trunks, server.layer, server._authenticator

    def trunk(flow: Flow) -> str:
        found = None if trunks is None else trunks.entities.of(flow)
        return "" if found is None else found.name

    def challenge(request: Request, stale: bool) -> Response:
        return challenging(request, authenticator.challenge(request, stale), layer.identifiers.tag())

    def own(flow: Flow) -> bool:
        return server.links.of(flow) is not None

    installation = Installation(
        server, own, trunk, challenge, lambda seed: random.Random(seed).random, server._log,
        FeatureFaults(server.features, server.observer, server._failed),
    )  # fmt: skip
    for fault in server.settings.faults:
        try:
            installation.faults.add(fault)
        except ValueError as error:
            raise ConfigError(f"faults: {error}") from None
    return installation.faults
