"""Generated pipelines in the tools they are written for, each in an environment of its own: see `__main__`."""
