"""How many random runs a test makes: few and the same every time, or thousands of others with `--hypothesis-profile=long`.

`make test` must give the same answer twice; `make stateful` looks for what nobody has seen yet.
"""

from __future__ import annotations

from typing import Final

from hypothesis import HealthCheck, Phase, settings

_QUICK: Final = settings(
    max_examples=30, stateful_step_count=40, derandomize=True, deadline=None, database=None, print_blob=True,
    phases=[Phase.explicit, Phase.generate, Phase.shrink], suppress_health_check=list(HealthCheck),
)  # fmt: skip


def register() -> None:
    """Make the profiles known, before pytest looks for the one that it is asked for."""
    settings.register_profile("quick", _QUICK)
    # While something is being looked for: the first run that fails, as it came.
    found = [Phase.explicit, Phase.generate]
    settings.register_profile("unshrunk", _QUICK, max_examples=400, derandomize=False, phases=found)
    settings.register_profile("long", _QUICK, max_examples=4_000, stateful_step_count=60, derandomize=False)


def chosen() -> settings:
    """The same runs every time, unless others are asked for."""
    name = settings.get_current_profile_name()
    return settings.get_profile("quick" if name in ("default", "ci") else name)  # hypothesis takes `ci` where CI is set


def examples(few: int) -> settings:
    """So many examples in a normal run, and more in proportion where other runs are asked for."""
    profile = chosen()
    return settings(profile, max_examples=few * profile.max_examples // _QUICK.max_examples)
