"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from pathlib import Path

from sip_bench.peers import kamailio_program
from sip_bench.settings import Bench


def describe(bench: Bench) -> str:
    """One paragraph: CPU model, cores, kernel, versions, cores in use, load average at this moment."""
    parts = [
        f"{cpu_model()}, {os.cpu_count()} cores",
        f"Linux {platform.release()}",
        f"Python {platform.python_version()}",
        f"Kamailio {_version([kamailio_program() or 'kamailio', '-v'])}",
        f"SIPp {_version(['sipp', '-v'])}",
        f"server on core {bench.server_cpu}, load on core {bench.load_cpu}",
        f"load average before the run {os.getloadavg()[0]:.2f}",
    ]
    return "Machine: " + "; ".join(parts) + "."


def cpu_model() -> str:
    """The first ``model name`` of /proc/cpuinfo, or the architecture where there is none (ARM)."""
    found = re.search(r"(?m)^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(errors="replace"))
    return " ".join(found[1].split()) if found else platform.machine()


def _version(argv: list[str]) -> str:
    """The first thing like a version in what a program prints about itself."""
    try:
        result = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return "none"
    found = re.search(r"\d+\.\d+(\.\d+)?", result.stdout + result.stderr)
    return found[0] if found else "unknown"
