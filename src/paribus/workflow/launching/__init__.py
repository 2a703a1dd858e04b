"""What steps 11 to 13 are made of: configuration, randomization, rehearsal, alert rules, dashboards, the ramp."""
