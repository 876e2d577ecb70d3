"""The first start of a store without users: 6001–6010 with random passwords, for the first phones.

The passwords stand in the file `initial-users` and nowhere else. A file that is there already is used again: so a
restart with `memory:`, which has forgotten its users, keeps the phones' passwords, and no file is ever overwritten.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from b2bua.store.interface import Store
from b2bua.store.opening import database_path
from b2bua.store.private_file import write_private
from b2bua.store.users_file import AlgorithmsOf, make_user, md5_alone, read_users

INITIAL_NAMES: Final = tuple(str(number) for number in range(6001, 6011))
FILE_NAME: Final = "initial-users"
DEFAULT_DIRECTORY: Final = Path("var")


def make_initial_users(
    store: Store, realm: str, url: str, new_password: Callable[[], str], algorithms_of: AlgorithmsOf = md5_alone
) -> Path | None:
    """Give a store without users its first ones; the file with their passwords, or None when it had users.

    `url` is the setting of the store, `new_password` gives one random password a call. The file (mode 0600) is complete
    before the users exist. StoreError when either cannot be written.
    """
    if any(True for _ in store.users()):
        return None
    path = initial_users_path(url)
    if not path.exists():
        passwords = {name: new_password() for name in INITIAL_NAMES}
        for name, password in passwords.items():
            make_user(name, realm, password)  # A password that could not be read back must not be written.
        write_private(path, "".join(f"{name},{password}\n" for name, password in passwords.items()))
    store.put_users(read_users(path, realm, algorithms_of))
    return path


def initial_users_path(url: str) -> Path:
    """Beside the database; in `var` for a store without a file."""
    directory = database_path(url).parent if url.startswith("sqlite:") else DEFAULT_DIRECTORY
    return directory / FILE_NAME
