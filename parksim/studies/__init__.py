"""Studies: many replications, and plans over many scenarios."""
