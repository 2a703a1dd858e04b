"""From the result to what comes next: for whom it worked, where it hurts, and follow-ups with their power computed."""
