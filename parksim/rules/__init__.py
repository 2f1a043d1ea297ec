"""The rules of parking: pure functions that decide, and nothing else.

No clock, no input or output, no randomness, no engine. Read ``codes``, ``lot``, ``routing``, then ``uapi``.
"""
