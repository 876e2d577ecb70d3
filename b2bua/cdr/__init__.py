"""Call detail records: a JSON object a line, one for each call that has ended."""
