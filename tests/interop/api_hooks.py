"""What schemathesis does with each question before it asks: a trace that is followed has no end."""

from __future__ import annotations

from typing import Any

import schemathesis


@schemathesis.hook
def before_call(_context: Any, case: Any, _kwargs: dict[str, Any]) -> None:
    if isinstance(case.query, dict):
        case.query.pop("follow", None)
