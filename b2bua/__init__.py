"""A SIP PBX in two roles that stay visible apart: Session Manager and Communication Manager."""

from typing import Final

__version__: Final = "0.1.0"

PRODUCT: Final = f"b2bua/{__version__}"
"""The product token in `Server` and `User-Agent` (RFC 3261 §20.35, §20.41)."""
