"""The scripted phone: a user agent on the same core as the server, for the demo and the tests; it never challenges."""
