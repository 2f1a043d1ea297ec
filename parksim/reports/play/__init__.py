"""The page in which the switchboard runs: a report whose kernel, rules and estimates are JavaScript."""
