"""What step 6 draws up: tables, checks and tasks as one neutral plan, and the files that other tools make of it."""
