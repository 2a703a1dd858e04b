"""SQL text, the one room that knows sqlglot: `build` has the portable constructs, `dialects` what differs."""
