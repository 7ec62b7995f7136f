"""Spaces the posts into one channel. A wait is a deferral: nobody sleeps while holding a slot.

Kept in this process: a workspace is bound to one tenant, and the tenant's outbound shard has one
owner, so all that is posted there passes here, and costs no round trip. What a platform allows of
its other calls is counted in Redis (gateway/store/buckets.py), for those are made by every replica:
who types, whose a file is, who somebody is.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable

_MAX_KEYS = 50_000


class Pace:
    """Gives every delivery a moment of its own, `1 / per_s` apart per key."""

    def __init__(self, per_s: float, now_s: Callable[[], float] = time.monotonic) -> None:
        self._gap_s = 1.0 / per_s
        self._now_s = now_s
        self._next_s: OrderedDict[Hashable, float] = OrderedDict()
        self._held_s: OrderedDict[Hashable, float] = OrderedDict()
        self._reserved_s: OrderedDict[Hashable, float] = OrderedDict()

    def wait_s(self, key: Hashable, delivery: str) -> float:
        """Seconds until `delivery` may be posted; 0 means now, and uses the moment up.

        A delivery that has to wait keeps its moment, so that those that wait for one channel come
        back one by one and not all together.
        """
        now_s = self._now_s()
        at_s = self._reserved_s.pop(delivery, None)
        if at_s is None or self._held_s.get(key, 0.0) > now_s:
            at_s = max(self._next_s.get(key, now_s), now_s)
            self._next_s[key] = at_s + self._gap_s
            self._next_s.move_to_end(key)
        if at_s > now_s:
            self._reserved_s[delivery] = at_s
        self._forget(now_s)
        return max(at_s - now_s, 0.0)

    def give_back(self, key: Hashable, delivery: str) -> None:
        """Leave the moment that `delivery` waits for to the next one: it needs none any more."""
        at_s = self._reserved_s.pop(delivery, None)
        if at_s is not None and self._next_s.get(key) == at_s + self._gap_s:
            self._next_s[key] = at_s

    def hold(self, key: Hashable, for_s: float) -> None:
        """Post nothing under `key` for a while: the platform said so."""
        until_s = self._now_s() + for_s
        for moments in (self._next_s, self._held_s):
            moments[key] = max(moments.get(key, 0.0), until_s)
            moments.move_to_end(key)

    def _forget(self, now_s: float) -> None:
        # Oldest first; an entry whose moment has passed says no more than a missing one.
        for moments in (self._next_s, self._held_s, self._reserved_s):
            while moments:
                first = next(iter(moments))
                if moments[first] > now_s - 60 and len(moments) <= _MAX_KEYS:
                    break
                del moments[first]
