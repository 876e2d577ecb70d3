"""What of the settings becomes a part of the server: each function one part, nothing but the settings in it."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from ipaddress import ip_network
from socket import gethostname

from b2bua.cdr.file import CdrFile, check_file
from b2bua.config.settings import ConfigError, Settings
from b2bua.feature_server.loader import Choices
from b2bua.log.events import Say
from b2bua.observer import Observer
from b2bua.session_manager.bans import BanRule, Bans
from b2bua.session_manager.challenge_policy import ChallengePolicy
from b2bua.session_manager.event_core import EventRules
from b2bua.session_manager.event_packages.package import Form
from b2bua.session_manager.registrar import ExpiryLimits
from b2bua.session_manager.trusted_networks import TrustedNetworks
from b2bua.sip.digest_offer import DigestOffer
from b2bua.sip.profiles import Profiles
from b2bua.transport.tls import Files, Tls, TlsFileError, load


def expiry_limits(settings: Settings) -> ExpiryLimits:
    return ExpiryLimits(
        settings.registration_expires_min, settings.registration_expires_max, settings.registration_expires_default
    )


def event_rules(settings: Settings) -> EventRules:
    forms = {user: Form.of(words) for user, words in settings.user_profiles.items()}
    form = Form.of(settings.profiles)
    return EventRules(settings.watchers, form, forms, settings.lists, profiles_of(settings))


def tls_of(settings: Settings) -> Tls | None:
    """The certificates as the files have them now; ConfigError for a bad one, None where none is set."""
    if settings.tls_cert is None:
        return None
    try:
        return Tls(load(Files(settings.tls_cert, settings.tls_key, settings.tls_ca)))
    except TlsFileError as error:
        raise ConfigError(f"{error.key}: {error}") from None


def feature_choices(settings: Settings) -> Choices:
    return Choices(settings.feature_codes, settings.user_defaults)


def challenge_policy(settings: Settings) -> ChallengePolicy:
    return ChallengePolicy(settings.challenge_reinvite, settings.challenge, settings.user_challenge, profiles_of(settings))


def digest_offer(settings: Settings) -> DigestOffer:
    return DigestOffer(
        settings.digest_algorithms, settings.user_digest_algorithms, settings.digest_qop, settings.digest_session_keys,
        settings.digest_userhash,
    )  # fmt: skip


def profiles_of(settings: Settings) -> Profiles:
    return Profiles(settings.profiles, settings.user_profiles)


def bans_of(settings: Settings, observer: Observer, log: Callable[..., object]) -> Bans | None:
    if not settings.ban_failures:
        return None
    rule = BanRule(settings.ban_failures, settings.ban_window, settings.ban_duration)
    return Bans(rule, time.monotonic, observer, log)


def trusted_networks(settings: Settings) -> TrustedNetworks | None:
    return TrustedNetworks(map(ip_network, settings.trusted_networks)) if settings.trusted_networks else None


def cdr_file(settings: Settings, name: str, observer: Observer, post: Callable[..., object], log: Say) -> CdrFile:
    """The file of call detail records, written or not; ConfigError where it cannot be."""
    if settings.cdr is not None:
        try:
            check_file(settings.cdr)
        except OSError as error:
            raise ConfigError(f"cdr: {settings.cdr}: {error.strerror or error}") from None
    return CdrFile(settings.cdr, f"{name}@{gethostname()}", post, log, partial(observer.write_failed, "cdr"))
