"""Who may register when a server starts: the users of the settings' file, else those of the store, else the first ten."""

from __future__ import annotations

import secrets

from b2bua.assembly.foundations import Foundations
from b2bua.assembly.settings_parts import digest_offer
from b2bua.store.file_users import FileUsers, check_ha1s
from b2bua.store.first_start import make_initial_users


def load_users(foundations: Foundations, file_users: FileUsers) -> None:
    """StoreError for a file that cannot be read, and where somebody has no secret by an algorithm that is offered."""
    settings, store = foundations.settings, foundations.store
    offer = digest_offer(settings)
    if settings.users is not None:
        users = file_users.read(settings.users, offer)
        check_ha1s(file_users.after(users), offer)
        file_users.take(users)
        return
    made = make_initial_users(store, settings.domain, settings.store, lambda: secrets.token_urlsafe(9), offer.of)
    check_ha1s(store.users(), offer)
    if made is not None:
        told = f"b2bua: first users 6001-6010, their passwords are in {made}"
        foundations.log.announce(told, "first_users_made", path=str(made))
