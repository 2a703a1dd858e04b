"""The sealed plan of step 3 as its readers see it: tables and their words."""
