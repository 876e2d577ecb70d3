"""The settings: what they are, where they come from, how each is read and checked."""
