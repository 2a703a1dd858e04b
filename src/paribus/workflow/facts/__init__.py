"""The typed documents that steps hand to each other, a module per step; `artifact.Part` is their base."""
