"""Logs of a real PBX: read, compared with the rules, measured, and made into a scenario."""
