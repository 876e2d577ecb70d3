"""The trace: every message once per hop in a bounded ring, and the views that are worked out when somebody reads it."""
