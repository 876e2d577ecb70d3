"""From the settings to application sequences: what the server goes by, and `b2bua route` explains."""

from __future__ import annotations

from b2bua.config.sequences import conflicts_of_sequences
from b2bua.config.settings import IN_PROCESS, ConfigError, Settings
from b2bua.session_manager.sequences import Sequences


def sequences_of(settings: Settings) -> Sequences | None:
    """What calls pass; None where no setting says: then all links, each once. ConfigError for a name that stands for no link:
    those may be older than the settings."""
    lists = {key: getattr(settings, key) for key in ("origination", "termination", "optional_applications")}
    links = names_of_links(settings)
    if problems := tuple(conflicts_of_sequences(lists, settings.user_sequences, links)):
        raise ConfigError(*problems)
    nothing_said = settings.origination is None and settings.termination is None and not settings.user_sequences
    if nothing_said and settings.application_passes == "once" and not settings.optional_applications:
        return None
    origination = links if settings.origination is None else settings.origination
    termination = links if settings.termination is None else settings.termination
    users = {
        user: (tuple(values.get("origination", origination)), tuple(values.get("termination", termination)))
        for user, values in settings.user_sequences.items()
    }
    twice = settings.application_passes == "twice"
    return Sequences(origination, termination, users, twice, frozenset(settings.optional_applications))


def names_of_links(settings: Settings) -> tuple[str, ...]:
    """In their order, the one in this process first."""
    in_process = () if settings.feature_server == "none" else (IN_PROCESS,)
    return (*in_process, *(link.name for link in settings.links))
