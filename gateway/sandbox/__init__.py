"""Stand-ins on the real wire: what the gateway meets in production, on loopback.

They follow the platforms' documents, never our adapters, so that an adapter's mistake shows up as
a failing test. One copy serves `channel-gateway demo`, the tests and the load tests. Nothing here
may be imported by the gateway's own road.
"""
