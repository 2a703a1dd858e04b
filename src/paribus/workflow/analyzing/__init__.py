"""The statistical report of step 14: its tables and its first paragraph."""
