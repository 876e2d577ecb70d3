"""The structured log: every event that there is, the levels by area, and the lines that events become."""
