"""The switchboard as a service: UAPI over HTTP, who may use it, and the board one can watch.

``desk`` answers UAPI requests and keeps the calls; everything else here is the way to it: ``app`` (routes, hosts,
origins, headers), ``wire`` (what a request on a socket may look like), ``tokens`` (whose request it is), ``events``
(the board's picture, as a stream), ``openapi`` (the service's description) and ``serving`` (sockets, signals, the end).
"""
