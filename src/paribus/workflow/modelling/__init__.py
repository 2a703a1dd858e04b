"""Step 9: features from the history, champion and challenger, what they are worth and how their drift is found."""
