"""What can be checked of a server's settings without starting it: files, certificates, features, and everybody's HA1s."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from typing import Final

from b2bua.config.entities import read_secret
from b2bua.config.settings import Settings
from b2bua.faults.fault import check_own
from b2bua.feature_server.loader import Choices, LoadError, find_features, find_server
from b2bua.sip.digest_offer import DigestOffer
from b2bua.store.file_users import check_ha1s, read_file_users
from b2bua.store.interface import StoreError
from b2bua.store.opening import peek_users
from b2bua.store.records import User
from b2bua.transport.tls import Files, TlsFileError, load


def problems(settings: Settings, wrong: Collection[str] = ()) -> Iterator[str]:
    """One line for each thing that would keep a server with these settings from starting. Opens no port, changes no file.

    A line begins with a key, or with the file that is wrong. What stands on a setting in `wrong` is left out.
    """
    for step, keys in _STEPS.items():
        if not set(keys) & set(wrong):
            try:
                step(settings)
            except (LoadError, TlsFileError) as error:
                yield f"{error.key}: {error}"
            except StoreError as error:
                yield str(error)
    for line in settings.conflicts():
        if not any(key in line for key in wrong):
            yield line


def _check_features(settings: Settings) -> None:
    if settings.feature_server != "none":
        find_features(settings.features, settings.feature_directory, Choices(settings.feature_codes, settings.user_defaults))


def _check_faults(settings: Settings) -> None:
    """A fault that is a feature's needs that feature."""
    names: list[str] = []
    if settings.feature_server != "none":
        found = find_features(settings.features, settings.feature_directory)
        names = [name for feature in found for name in feature.faults]
    for fault in settings.faults:
        try:
            check_own(fault.action, names, str(fault))
        except ValueError as error:
            raise LoadError(str(error), "faults") from None


def _check_server(settings: Settings) -> None:
    if settings.feature_server != "none":
        find_server(settings.feature_server, settings.feature_directory)


def _check_users(settings: Settings) -> None:
    """The users' file, the store as it stands, and the HA1s of both together."""
    offer = DigestOffer(settings.digest_algorithms, settings.user_digest_algorithms)
    users: dict[str, User] = dict(peek_users(settings.store, settings.domain))
    if settings.users is not None:
        users |= {user.name: user for user in read_file_users(settings.users, settings.domain, offer)}
    check_ha1s(users.values(), offer)


def _check_secrets(settings: Settings) -> None:
    """The passwords of our own at trunks."""
    for name, values in settings.entities.items():
        if "username" in values:
            try:
                read_secret(values, os.environ)
            except ValueError as error:
                raise StoreError(f"entities: {name}: {error}") from None


def _check_certificates(settings: Settings) -> None:
    if settings.tls_cert is not None:
        load(Files(settings.tls_cert, settings.tls_key, settings.tls_ca))


_STEPS: Final[dict[Callable[[Settings], None], tuple[str, ...]]] = {
    _check_features: ("feature_server", "features", "feature_directory", "feature_codes", "user_defaults"),
    _check_faults: ("faults", "feature_server", "features", "feature_directory", "feature_codes", "user_defaults"),
    _check_server: ("feature_server",),
    _check_certificates: ("tls_cert", "tls_key", "tls_ca"),
    _check_secrets: ("entities",),
    _check_users: ("users", "store", "domain", "digest_algorithms", "user_digest_algorithms"),
}
"""What is checked, and the settings that it stands on."""
