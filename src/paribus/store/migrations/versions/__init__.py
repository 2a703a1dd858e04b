"""One file per step, in the order of its number."""
