"""The authenticator made of the settings and of the users in the store."""

from __future__ import annotations

import secrets
import time

from b2bua.assembly.foundations import Foundations
from b2bua.assembly.settings_parts import challenge_policy, digest_offer, profiles_of
from b2bua.session_manager.addressed_nonces import AddressedNonces
from b2bua.session_manager.authenticator import Authenticator
from b2bua.session_manager.domain import Domain
from b2bua.session_manager.lenient_nonces import LenientNonces
from b2bua.session_manager.nonces import Nonces
from b2bua.session_manager.user_hashes import UserHashes
from b2bua.store.secret_record import derived, stored_secret


def authenticator_of(foundations: Foundations, domain: Domain) -> Authenticator:
    """Asks the store for each user's secret when it needs it."""
    settings, store = foundations.settings, foundations.store

    def secret_of(user: str, algorithm: str) -> str | None:
        record = store.user(user)
        return None if record is None else record.ha1s.get(algorithm, "")

    def names() -> list[str]:
        return [user.name for user in store.users()]

    lenient = LenientNonces(
        derived(stored_secret(store, secrets.token_bytes), "lenient nonces"), time.time, secrets.randbits(48)
    )
    return Authenticator(
        settings.domain,
        secret_of,
        Nonces(secrets.token_bytes(32), time.time, settings.nonce_lifetime),
        challenge_policy(settings),
        foundations.observer,
        domain.is_alias,
        strict_uri=settings.strict_digest_uri,
        offer=digest_offer(settings),
        user_hashes=UserHashes(settings.domain, names, time.monotonic),
        lenient=lenient,
        profiles=profiles_of(settings),
        addressed=AddressedNonces(secrets.token_bytes(32), time.time),
    )
