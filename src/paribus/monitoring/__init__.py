"""Health of running experiments and services: returns findings, never acts."""
