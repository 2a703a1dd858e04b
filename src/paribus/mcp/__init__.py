"""The door for agents: the sixteen steps as tools of the Model Context Protocol, under a signed policy."""
