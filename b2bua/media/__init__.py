"""Media, an edge: the RTP that the scripted phone sends and counts."""
