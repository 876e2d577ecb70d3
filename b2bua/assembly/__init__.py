"""What settings and records become: the larger parts that the composition roots put together."""
