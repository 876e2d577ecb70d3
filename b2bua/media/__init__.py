"""Media, an edge: RTP, what the scripted phone says and counts, and what Communication Manager plays and hears itself."""
