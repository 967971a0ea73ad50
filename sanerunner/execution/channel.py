"""One end of the pipe between the coordinator and a worker."""

from __future__ import annotations

import os
import select
import threading
from collections import deque
from multiprocessing.connection import Connection

from .protocol import Frames, Message, pack

_READ = 1 << 18  # bytes


class ChannelClosed(Exception):
    """The process at the other end is gone."""


class Channel:
    """Sends and receives messages; any thread may send."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection  # what it opened is closed when it is freed
        self._fd = connection.fileno()
        os.set_inheritable(self._fd, False)  # a spawned worker has inherited it
        self._frames = Frames()
        self._received: deque[Message] = deque()
        self._sending = threading.Lock()
        self._readable = select.poll()
        self._readable.register(self._fd, select.POLLIN)
        self.closed = False

    def fileno(self) -> int:
        return self._fd

    def send(self, *messages: Message) -> None:
        """Send messages at once; wait until there is room for them. Raises ChannelClosed."""
        data = memoryview(b"".join(map(pack, messages)))
        with self._sending:
            while data:
                try:
                    data = data[os.write(self._fd, data) :]
                except BlockingIOError:
                    writable = select.poll()
                    writable.register(self._fd, select.POLLOUT)
                    writable.poll()
                except (BrokenPipeError, ConnectionResetError):
                    raise ChannelClosed from None

    def receive(self) -> Message:
        """Wait for a message. Raises ChannelClosed when there will be none."""
        while not self._received:
            if self.closed:
                raise ChannelClosed
            self._readable.poll()
            self._read()
        return self._received.popleft()

    def available(self) -> list[Message]:
        """Return the messages that have arrived; notice whether the other side has gone."""
        while not self.closed and self._readable.poll(0):
            self._read()
        messages = list(self._received)
        self._received.clear()
        return messages

    def has_message(self) -> bool:
        """Whether ``receive()`` returns, or raises, at once."""
        return bool(self._received or self._readable.poll(0))

    def close(self) -> None:
        self.closed = True
        self._connection.close()

    def _read(self) -> None:
        try:
            data = os.read(self._fd, _READ)
        except BlockingIOError:
            return
        except ConnectionResetError:
            data = b""
        if data:
            self._received.extend(self._frames.feed(data))
        else:
            self.closed = True
