"""Traffic: stages, what comes next, and the only hands that move it."""
