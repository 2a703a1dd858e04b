"""What a change is worth: value by simulation, the winner's curse taken off once, forecasts scored, learnings kept."""
