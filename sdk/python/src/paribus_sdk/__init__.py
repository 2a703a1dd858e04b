"""The Python SDK of Paribus."""
