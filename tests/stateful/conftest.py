"""How long the state machine runs: `quick` in every test run, `--hypothesis-profile=long` for `make check-long`."""

from __future__ import annotations

from hypothesis import HealthCheck, Phase, settings

settings.register_profile(
    "quick", max_examples=30, stateful_step_count=40, derandomize=True, deadline=None, database=None, print_blob=True,
    phases=[Phase.generate, Phase.shrink], suppress_health_check=list(HealthCheck),
)  # fmt: skip
# While something is being looked for: the first run that fails, as it came.
settings.register_profile("unshrunk", settings.get_profile("quick"), max_examples=400, derandomize=False, phases=[Phase.generate])
settings.register_profile("long", settings.get_profile("quick"), max_examples=4_000, stateful_step_count=60, derandomize=False)
