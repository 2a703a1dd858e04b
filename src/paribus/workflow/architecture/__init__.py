"""What step 4 draws up: the flag's draft, the stages of its rollout, the breaker, the code's shape, the diagrams."""
