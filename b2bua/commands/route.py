"""`b2bua route NUMBER`: where a number or URI leads, step by step, decided by the code that the server decides with."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path

import click

from b2bua.assembly.dial_plan import dial_plan_of, entities_of, week_time
from b2bua.assembly.sequences import names_of_links, sequences_of
from b2bua.config.settings import IN_PROCESS, ConfigError, Settings
from b2bua.config.sources import load_settings
from b2bua.feature_server.feature_codes import code_name
from b2bua.feature_server.loader import find_features
from b2bua.session_manager.departure import Departure, Departures
from b2bua.session_manager.domain import Domain
from b2bua.session_manager.entities import Entities
from b2bua.session_manager.sequences import ORIGINATING, Sequences
from b2bua.session_manager.time_range import WeekTime, read_week_time
from b2bua.session_manager.trunks import Trunks
from b2bua.sip.digest_offer import DigestOffer
from b2bua.sip.errors import MalformedValue
from b2bua.sip.uri import parse_uri
from b2bua.store.file_users import read_file_users
from b2bua.store.opening import peek_users


class Names:
    """Who has an account, by the settings: in the store as it stands, and in the file `users`."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(names)

    def user(self, name: str) -> object | None:
        return name if name in self._names else None


@click.command(context_settings={"max_content_width": 110})
@click.argument("number")
@click.option("--from", "caller", default="", metavar="USER", help="Who calls. [a user of no name]")
@click.option("--at", default="", metavar="'DAY HH:MM'", help="When, as `tue 08:30`; local time. [now]")
@click.option("--config", metavar="FILE.toml", help="Settings in TOML (or B2BUA_CONFIG).")
def route(number: str, caller: str, at: str, config: str | None) -> int:
    """Say where NUMBER (or a SIP URI) leads, and why. Looks at settings and store alone: nothing is sent."""
    settings = load_settings(Path(config) if config else None, os.environ, {})
    settings.check()
    try:
        when = read_week_time(at) if at else week_time()
    except ValueError as error:
        raise ConfigError(f"--at: {error}") from None
    found = False
    for line in explain(settings, _users(settings), number, caller, when):
        click.echo(line)
        found = not line.startswith("nowhere")
    return 0 if found else 1


def _users(settings: Settings) -> Names:
    offer = DigestOffer(settings.digest_algorithms, settings.user_digest_algorithms)
    names = list(peek_users(settings.store, settings.domain))
    if settings.users is not None:
        names += [user.name for user in read_file_users(settings.users, settings.domain, offer)]
    return Names(names)


def explain(settings: Settings, users: Names, number: str, caller: str, when: WeekTime) -> Iterator[str]:
    """The decision, a line a step; the last line is what comes of it, `nowhere` first where it leads nowhere."""
    domain = Domain(settings.domain, settings.aliases)
    uri = number if number.partition(":")[0].lower() in ("sip", "sips") else f"sip:{number}@{settings.domain}"
    try:
        parsed = parse_uri(uri)
    except MalformedValue:
        raise ConfigError(f"{number!r} is neither a number nor a SIP URI") from None
    user = domain.user_of(parsed)
    yield f"call to {uri}, from {caller or 'somebody'}, on {when}"
    steps: list[str] = []
    entities = entities_of(settings)
    trunks = Trunks(Entities(entities), users, dial_plan_of(settings, entities), lambda: when)
    departures = trunks.departures("INVITE", uri, user, caller, steps.append)
    yield from steps
    if user is not None or departures is not None:
        callee = "" if departures is not None else user or ""
        if (yield from _applications(settings, caller, callee, _code(settings, user or ""))):
            return
    if departures is not None and caller and users.user(caller) is None:
        yield f"nowhere: 403, {caller} is no user, and only users call out"
    else:
        yield from _ends(departures, user, users, settings)


def _code(settings: Settings, user: str) -> str:
    """The name of the feature code that this is in the feature server of the server's own process; "" for none."""
    if settings.feature_server == "none":
        return ""
    return code_name(find_features(settings.features, settings.feature_directory), settings.feature_codes, user)


def _applications(settings: Settings, caller: str, callee: str, code: str) -> Generator[str, None, bool]:
    """A line for each that the call passes first; whether it ends in one of them, by a feature's `code`. Who calls and is not
    named has everybody's sequence."""
    names = names_of_links(settings)
    sequences = sequences_of(settings) or Sequences(names, names)
    position = sequences.settle(sequences.begin(caller or "somebody"), callee)
    while position.left:
        whose = f"for {caller or 'the caller'}" if position.phase == ORIGINATING else f"for {callee}"
        without = ", skipped when it does not answer" if position.left[0] in sequences.optional else ""
        yield f"by application {position.left[0]} {whose} (ims{position.phase}){without}"
        if code and position.left[0] == IN_PROCESS and position.phase == ORIGINATING:
            yield f"to its feature code {code}, and no further"
            return True
        position = sequences.settle(position.over(), callee)
    return False


def _ends(departures: Departures | None, user: str | None, users: Names, settings: Settings) -> Iterator[str]:
    if departures is None:
        if user and users.user(user) is not None:
            yield f"to the phones of {user}"
        elif user is None:
            yield "nowhere: 403, this domain is not ours and no entity serves it"
        else:
            yield f"nowhere: 404, {user or settings.domain} is no user, and no dial pattern and no entity serves it"
    elif not departures.ways:
        yield f"nowhere: {departures.status} {departures.reason}"
    else:
        for number, departure in enumerate(departures.ways, 1):
            yield _way(number, departure)


def _way(number: int, departure: Departure) -> str:
    """One line of the last ones: `1. carrier: sip:…`."""
    way = departure.way
    text = f"{number}. by entity {way.entity.name} as {departure.uri}"
    if way.entity.adaptation.name:
        text += f", adaptation {way.entity.adaptation.name}"
    if way.timeout:
        text += f", the next one after {way.timeout:g} s of silence"
    return text
