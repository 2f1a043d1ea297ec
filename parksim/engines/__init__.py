"""Engines supply the order of instants: (scenario, workload, commands) -> Journal."""
