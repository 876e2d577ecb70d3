"""Writing a file that holds passwords or HA1s."""

from __future__ import annotations

import os
from pathlib import Path

from b2bua.store.interface import StoreError


def write_private(path: Path, text: str) -> None:
    """Write a file of mode 0600 that is there in full or not at all; one of that name is replaced. StoreError if not."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}") from None
