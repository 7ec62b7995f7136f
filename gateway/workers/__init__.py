"""Several processes that are one gateway: workers, and the one process that looks after them.

That one owns what must outlive a worker: ports, embedded servers, totals of the metrics. It never
touches a message. A worker is a replica like any other; shards are shared by leases.
"""
