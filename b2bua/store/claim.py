"""One server to a realm of a store: two would both carry on its calls, and both tell its watchers."""

from __future__ import annotations

import errno
import fcntl
import os
import zlib
from pathlib import Path
from typing import Final

from b2bua.store.interface import StoreError

_HELD: Final = frozenset((errno.EACCES, errno.EAGAIN))


class Claim:
    """Of this process on a realm of the database at `path`, until `close` or its death. It is a lock of the kernel's on one
    byte of a file beside the database, which stays: on the database itself SQLite has locks of its own. Commands, which
    change users and settings while a server runs, need none. The constructor raises StoreError."""

    def __init__(self, path: Path, realm: str) -> None:
        try:
            self._file = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise StoreError(f"{path}.lock: {error.strerror}") from None
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, zlib.crc32(realm.encode()))
        except OSError as error:
            os.close(self._file)
            if error.errno not in _HELD:
                raise StoreError(f"{path}.lock: {error.strerror}") from None
            raise StoreError(f"{path}: another server runs with it; this one needs its own: --store sqlite:PATH") from None

    def close(self) -> None:
        """Once."""
        os.close(self._file)
