"""Who may ask over HTTP, for both services: the accounts of the store, and a token for whoever owns the server's files."""

from __future__ import annotations

import secrets
import time
from pathlib import Path

from b2bua.config.settings import Settings
from b2bua.http.access import Access, is_loopback
from b2bua.log.events import Say
from b2bua.store.console_user_record import CONSOLE_USER
from b2bua.store.interface import Store, StoreError
from b2bua.store.opening import database_path
from b2bua.store.private_file import write_private
from b2bua.store.token_record import TOKEN


def access_of(settings: Settings, log: Say) -> Access:
    """For the listener of the settings. Nobody has an account before `follow_accounts`."""
    host, _ = settings.http

    def log_in_began() -> None:
        token = secrets.token_urlsafe(32)
        access.accounts.take_owner(token)
        path = owner_token_path(settings.store)
        try:
            write_private(path, f"{token}\n")
        except StoreError as error:
            log("owner_token_unwritten", path=str(path), reason=str(error))

    access = Access(not is_loopback(host), time.monotonic, lambda: secrets.token_urlsafe(32), log_in_began, log)
    return access


def follow_accounts(access: Access, store: Store) -> None:
    """Take up the accounts of the store, and whatever another process changes. Behind the listener: who cannot have its
    address leaves the token of the server that has it alone."""
    for kind, take in ((CONSOLE_USER, access.accounts.take_users), (TOKEN, access.accounts.take_tokens)):
        take(store.records(kind))
        store.watch(kind, take)


def owner_token_path(url: str) -> Path:
    """Beside the database: a file of its owner's. A store without a file keeps no accounts."""
    path = database_path(url)
    return path.with_name(f"{path.name}.token")
