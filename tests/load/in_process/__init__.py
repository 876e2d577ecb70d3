"""The whole server without a kernel: hold calls go in and out as datagrams in memory, so that meters repeat to the last digit."""
