"""Effects from a panel that nobody randomized: read from any table, estimated, and told."""
