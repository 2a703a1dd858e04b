"""The nine specialists who play the sixteen steps."""
