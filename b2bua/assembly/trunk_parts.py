"""Trunks made of the settings, and what finds and watches them: nothing of it is there where there are none."""

from __future__ import annotations

import os
import random
import secrets
import time
from dataclasses import replace
from functools import partial

from b2bua.assembly.dial_plan import dial_plan_of, entities_of, week_time
from b2bua.assembly.foundations import Foundations
from b2bua.config.addresses import parse_server
from b2bua.config.entities import read_secret
from b2bua.config.settings import ConfigError
from b2bua.dialog.credentials import Credentials
from b2bua.session_manager.domain import Domain
from b2bua.session_manager.entities import Entities, Entity
from b2bua.session_manager.next_hops import NextHops
from b2bua.session_manager.trunk_credentials import TrunkCredentials
from b2bua.session_manager.trunk_watch import TrunkWatch
from b2bua.session_manager.trunks import Trunks
from b2bua.transaction.layer import TransactionLayer
from b2bua.transport.dns_client import DnsClient
from b2bua.transport.resolver import Resolver
from b2bua.transport.stream_flow import identities


def trunks_of(foundations: Foundations) -> Trunks | None:
    """The entities of the settings; None where there are none, so that they cost nothing."""
    settings = foundations.settings
    if not settings.entities:
        return None
    entities = [_with_credentials(foundations, entity) for entity in entities_of(settings)]
    for entity in entities:
        for host, port in entity.sources:
            if port:
                foundations.recorder.element(entity.name, (host, port))
    return Trunks(Entities(entities, identities), foundations.store, dial_plan_of(settings, entities), week_time)


def trunk_watches(
    foundations: Foundations, layer: TransactionLayer, trunks: Trunks | None, hops: NextHops
) -> dict[str, TrunkWatch]:
    """The trunks that are asked whether they are there."""
    settings, log = foundations.settings, foundations.log
    sender = f"<sip:{settings.domain}>"
    return {
        entity.name: TrunkWatch(layer, hops, entity, float(seconds), sender, log)
        for entity in (trunks.entities.all if trunks is not None else ())
        if (seconds := settings.entities[entity.name].get("watch", 0))
    }


def _with_credentials(foundations: Foundations, entity: Entity) -> Entity:
    """A trunk with what it is answered when it asks who we are; ConfigError when the password cannot be had."""
    values = foundations.settings.entities[entity.name]
    if "username" not in values:
        return entity
    try:
        secret = read_secret(values, os.environ)
    except ValueError as error:
        raise ConfigError(f"entities: {entity.name}: {error}") from None
    realm = values.get("realm") or entity.uri.bare_host
    credentials = Credentials(values["username"], secret, lambda: secrets.token_hex(8))
    return replace(entity, credentials=TrunkCredentials(entity.name, realm, credentials, foundations.log))


def next_hops_of(foundations: Foundations, domain: Domain) -> NextHops:
    """The DNS, for next hops that have a name; the first question opens the first socket."""
    settings, observer, log, listeners = foundations.settings, foundations.observer, foundations.log, foundations.listeners
    dns = DnsClient([parse_server(text) for text in settings.dns], foundations.reactor)
    fault = foundations.mistakes.of("resolver")
    resolver = Resolver(dns.ask, time.monotonic, partial(random.randint, 0), listeners.reach, observer, log, fault)
    return NextHops(resolver, listeners, time.monotonic, settings.next_hop_rest, observer, log, domain.is_ours)
