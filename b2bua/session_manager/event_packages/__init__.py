"""Event packages: records that the event core is handed at start, one file each."""

from __future__ import annotations

from b2bua.session_manager.event_packages.package import EventPackage


def by_name(*packages: EventPackage) -> dict[str, EventPackage]:
    """The packages as the compositor and the notifier take them."""
    return {package.name: package for package in packages}
