"""One module per step: `run` makes the artifact, `present` shows it."""
