"""Feature servers: the contract that a plugin sees, and the B2BUA toolkit that most plugins stand on.

A feature server speaks SIP over its link and nothing else: no registrations, no store, no sockets.
"""
