"""Whether what the server counted adds up, by /metrics alone."""

from __future__ import annotations

import re
from collections import defaultdict

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]
_SAMPLE = re.compile(r'^(\w+)(?:\{(.*)\})? (\S+)$')
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def samples(page: str) -> Samples:
    """The page of /metrics: (family, labels) → value."""
    found: Samples = {}
    for line in page.splitlines():
        match = _SAMPLE.match(line)
        if match:
            found[match[1], frozenset(_LABEL.findall(match[2] or ""))] = float(match[3])
    return found


def total(page: Samples, family: str, **labels: str) -> float:
    """The sum of a family's samples that have these labels."""
    wanted = set(labels.items())
    return sum(value for (name, has), value in page.items() if name == family and wanted <= has)


def by(page: Samples, family: str, label: str, **labels: str) -> dict[str, float]:
    """The sums of a family by one label."""
    wanted, found = set(labels.items()), defaultdict(float)
    for (name, has), value in page.items():
        if name == family and wanted <= has:
            found[dict(has).get(label, "")] += value
    return found


def unbalanced(page: Samples) -> list[str]:
    """What does not add up once everything is over: requests and answers, calls begun and ended, and what should be gone."""
    found = []
    answers: defaultdict[str, float] = defaultdict(float)
    for (name, has), value in page.items():
        labels = dict(has)
        if name == "b2bua_responses_total" and labels["direction"] == "out" and not labels["code"].startswith("1"):
            answers[labels["method"]] += value
    asked = by(page, "b2bua_requests_total", "method", direction="in")
    again = by(page, "b2bua_retransmissions_total", "method", direction="in")
    # A family shows so many label sets; what comes up later has the method `other`, and may be of any.
    unnamed = {"requests": asked.pop("other", 0.0), "retransmissions": again.pop("other", 0.0), "responses": answers["other"]}
    asked.pop("ACK", None)  # which is not answered
    for method, number in asked.items():
        new = number - again.get(method, 0)
        missing = new - answers[method]
        if missing > 0:
            taken = min(missing, unnamed["responses"] + unnamed["retransmissions"])
            unnamed["responses"] -= taken
            missing -= taken
        elif method != "INVITE":  # a 2xx to one is repeated until its ACK, and each counts; all else is answered once
            taken = min(-missing, unnamed["requests"])
            unnamed["requests"] -= taken
            missing += taken
        else:
            missing = 0
        if missing:
            found.append(f"{new:g} {method} came in, {answers[method]:g} final answers went out")
    begun, over = total(page, "b2bua_call_setup_seconds_count"), total(page, "b2bua_call_duration_seconds_count")
    if begun != over:
        found.append(f"{begun:g} calls were answered, {over:g} of them ended")
    tried, ended = total(page, "b2bua_call_attempts_total"), total(page, "b2bua_calls_total")
    if tried != ended:
        found.append(f"{tried:g} calls were tried, {ended:g} came to an end")
    for family in ("b2bua_calls_active", "b2bua_subscriptions_active", "b2bua_registrations_active", "b2bua_store_queue_depth",
                   "b2bua_sources_banned", "b2bua_internal_errors_total", "b2bua_parse_errors_total"):  # fmt: skip
        if total(page, family):
            found.append(f"{family} is {total(page, family):g}")
    return found
