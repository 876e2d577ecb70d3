"""Who may register when a server starts: the users of the settings' file, else those of the store, else the first ten."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from b2bua.assembly.settings_parts import digest_offer
from b2bua.store.file_users import check_ha1s
from b2bua.store.first_start import make_initial_users

if TYPE_CHECKING:
    from b2bua.service import Server


def load_users(server: Server) -> None:
    """StoreError for a file that cannot be read, and where somebody has no secret by an algorithm that is offered."""
    settings, offer = server.settings, digest_offer(server.settings)
    if settings.users is not None:
        users = server.file_users.read(settings.users, offer)
        check_ha1s(server.file_users.after(users), offer)
        server.file_users.take(users)
        return
    made = make_initial_users(
        server.store, settings.domain, settings.store, lambda: secrets.token_urlsafe(9), offer.of
    )
    check_ha1s(server.store.users(), offer)
    if made is not None:
        told = f"b2bua: first users 6001-6010, their passwords are in {made}"
        server._log.announce(told, "first_users_made", path=str(made))
