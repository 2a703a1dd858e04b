"""Generators of code: a service and its page, from the decisions and events that earlier steps planned."""
