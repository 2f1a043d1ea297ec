"""The configuration of a PBX: from its files to the lots of a scenario, and from a scenario back into the PBX."""
