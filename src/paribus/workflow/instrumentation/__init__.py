"""What step 5 draws up: the next tracking plan, who sends what, the map from metrics to events, the guide."""
