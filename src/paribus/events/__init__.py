"""Events: the tracking plan, the dialects of the door, decoding for the lake, quarantine, identity, imports."""
