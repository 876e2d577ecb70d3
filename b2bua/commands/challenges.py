"""`b2bua challenges`: which request gets which challenge with these settings, for all users and for those with rows of their
own. For whoever writes a client, or wonders why a phone gives up."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click

from b2bua.config.settings import ConfigError, Settings
from b2bua.config.sources import survey
from b2bua.config.tables import REINVITE
from b2bua.session_manager.challenge_policy import IN_DIALOG, NEVER, OUT_OF_DIALOG, ChallengePolicy
from b2bua.sip.profiles import ASTERISK, AVAYA, SERVERS, Profiles

METHODS: Final = (
    *OUT_OF_DIALOG, *(method for method in IN_DIALOG if method not in OUT_OF_DIALOG), *sorted(NEVER)
)  # fmt: skip
"""In the order of b2bua/session_manager/README.md."""
_IN_ADVANCE: Final = {
    "always": "a re-INVITE is challenged each time, whatever credentials it brings",
    "when-needed": "a re-INVITE with good credentials is not challenged",
    "never": "a re-INVITE is not challenged where no row says otherwise",
}
_OF_SERVERS: Final = {
    AVAYA: "profile avaya: good credentials on any nonce of the last day pass, a re-INVITE's too",
    ASTERISK: "profile asterisk: good credentials on any nonce of the last 32 s to this address pass, a re-INVITE's too",
}


@click.command()
@click.option("--config", metavar="FILE.toml", help="Settings in TOML (or B2BUA_CONFIG).")
@click.option("--user", metavar="NAME", help="Only what this user gets, all of it.")
def challenges(config: str | None, user: str | None) -> int:
    """Print which requests are challenged, and how: for all users, then for each with rows of its own what differs."""
    found = survey(Path(config) if config else None, os.environ, {})
    if found.problems:
        raise ConfigError(*found.problems)
    for line in matrix(found.settings, user):
        click.echo(line)
    return 0


def matrix(settings: Settings, user: str | None = None) -> Iterator[str]:
    """The lines: method, out of dialog, in dialog. With `user` those that hold for this one, existing or not."""
    profiles = Profiles(settings.profiles, settings.user_profiles)
    policy = ChallengePolicy(settings.challenge_reinvite, settings.challenge, settings.user_challenge, profiles)
    common = rows(policy)
    if user is not None:
        yield from _block(user, rows(policy.users.get(user, policy)))
        yield from _footer(settings, profiles.of(user))
        return
    yield from _block("all users", common)
    yield from _footer(settings, profiles.realm)
    for name in dict.fromkeys((*policy.users, *profiles.users)):
        differing = [row for row in rows(policy.users.get(name, policy)) if row not in common]
        own = profiles.of(name) & SERVERS
        if differing or own != profiles.realm & SERVERS:
            yield ""
            yield from _block(name, differing)
            if own:
                yield from _footer(settings, own)


def rows(policy: ChallengePolicy) -> list[tuple[str, str, str]]:
    """(method, out of dialog, in dialog) of every method; the INVITE in dialog is `re-INVITE`, on a line of its own."""
    found = []
    for method in METHODS:
        out, inside = (str(policy.status(method, in_dialog) or "none") for in_dialog in (False, True))
        if method == "INVITE":
            found += [(method, out, "–"), (REINVITE, "–", inside)]
        else:
            found.append((method, out, inside))
    return found


def _block(title: str, found: list[tuple[str, str, str]]) -> Iterator[str]:
    yield f"{title:<12}out of dialog  in dialog"
    for method, out, inside in found:
        yield f"{method:<12}{out:<15}{inside}"


def _footer(settings: Settings, profiles: frozenset[str]) -> Iterator[str]:
    told = [sentence for name, sentence in _OF_SERVERS.items() if name in profiles]
    yield from told
    if not told:
        yield f'challenge_reinvite = "{settings.challenge_reinvite}": {_IN_ADVANCE[settings.challenge_reinvite]}'
