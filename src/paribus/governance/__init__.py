"""Who may do what, and what is remembered about it."""
