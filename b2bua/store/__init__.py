"""Users and bindings that outlive a call: one interface, kept in memory or in SQLite."""
