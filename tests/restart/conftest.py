"""PJSIP's part of the matrix exists where PJSIP does, which the end of the run says (tests/interop/conftest.py)."""

from __future__ import annotations

from tests.interop.conftest import PJSIP_EXISTS

collect_ignore_glob = [] if PJSIP_EXISTS else ["test_pjsip*.py"]
