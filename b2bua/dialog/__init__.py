"""Dialogs and their usages (RFC 3261 §12–§15, RFC 5057): what user agents, the feature server's legs and the notifier share."""
