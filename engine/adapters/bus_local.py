"""A bus inside this process: whoever listens gets a queue of its own, with an end.

Publishing touches nothing but memory and never waits. A listener that does not keep up
loses the oldest messages, and can see how many: what is new matters more than what is late.
"""

from __future__ import annotations

import asyncio
from collections import deque

from engine.model.codec import Data

LONGEST = 1024
"""Messages that wait for one listener."""


class Subscription:
    """What one listener has not taken yet. Belongs to the loop that publishes."""

    def __init__(self, topic: str, longest: int) -> None:
        self.topic = topic
        self.dropped = 0
        """Messages lost because the queue was full."""
        self._waiting: deque[Data] = deque()
        self._longest = longest
        self._came = asyncio.Event()

    def put(self, message: Data) -> None:
        """Add `message`; the oldest goes where there is no room."""
        if len(self._waiting) >= self._longest:
            self._waiting.popleft()
            self.dropped += 1
        self._waiting.append(message)
        self._came.set()

    def take(self) -> list[Data]:
        """Return all that waits, oldest first, without waiting for more."""
        taken = list(self._waiting)
        self._waiting.clear()
        self._came.clear()
        return taken

    async def next(self) -> Data:
        """Return the oldest message, once there is one."""
        while not self._waiting:
            self._came.clear()
            await self._came.wait()
        return self._waiting.popleft()

    def __len__(self) -> int:
        """Return how many messages wait."""
        return len(self._waiting)


class LocalBus:
    """A `Bus` whose listeners are in this process."""

    def __init__(self) -> None:
        self._listeners: dict[str, tuple[Subscription, ...]] = {}

    def subscribe(self, topic: str, longest: int = LONGEST) -> Subscription:
        """Listen to `topic` from now on; at most `longest` messages wait. ValueError below 1."""
        if longest < 1:
            raise ValueError(f"a queue of {longest} messages holds nothing: write 1 or more")
        subscription = Subscription(topic, longest)
        self._listeners[topic] = (*self._listeners.get(topic, ()), subscription)
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        """Stop listening; nothing happens where that was done before."""
        left = tuple(one for one in self._listeners.get(subscription.topic, ()) if one is not subscription)
        if left:
            self._listeners[subscription.topic] = left
        else:
            self._listeners.pop(subscription.topic, None)

    def publish(self, topic: str, message: Data) -> None:
        """Hand `message`, which nobody may change any more, to everyone who listens to `topic` now."""
        for subscription in self._listeners.get(topic, ()):
            subscription.put(message)
