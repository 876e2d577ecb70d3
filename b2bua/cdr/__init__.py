"""Call detail records: a JSON object a line, one for each call that has ended; how they are written, and found again."""
