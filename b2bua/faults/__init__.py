"""Faults on purpose: messages lost, late, doubled, changed or answered in another's place, for tests of phones and features."""
