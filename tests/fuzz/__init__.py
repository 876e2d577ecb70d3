"""Inputs that nobody thought of: a target a file, beside `run` and `target`; atheris (libFuzzer) finds what reaches new code."""
