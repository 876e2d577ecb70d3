"""SIP as pure values and text: no I/O, no clock, no randomness. Everything else in the house stands on this room."""
