"""The live switchboard over HTTP: the UAPI endpoint, and a board to watch (extra ``server``)."""
