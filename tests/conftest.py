"""The profiles of `--hypothesis-profile`, known to every test."""

from __future__ import annotations

from tests.random_runs import register

register()
