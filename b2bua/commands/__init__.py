"""The commands of `b2bua`, a file each or a few that belong together; `cli.py` puts them under one name."""
