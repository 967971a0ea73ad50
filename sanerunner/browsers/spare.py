"""Does something in Playwright's event loop while the test goes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from .unmark import UNNOTED, running_loop

Made = TypeVar("Made")


class Beside(Generic[Made]):
    """Calls ``make`` beside the test: it goes on whenever the test waits for the browser.

    ``make`` may call Playwright's synchronous API, as handlers of events may. ``owner`` is an
    object of that API.
    """

    def __init__(self, owner: Any, make: Callable[[], Made]) -> None:
        from greenlet import greenlet  # a dependency of Playwright's

        self._owner = owner
        self._done: Any = owner._loop.create_future()

        def body() -> None:
            try:
                made = make()
            except Exception as error:
                self._done.set_exception(error)
                self._done.exception()  # it may be that nobody asks
            else:
                self._done.set_result(made)

        # Made in the loop, since a greenlet that ends goes on with the one that has made it.
        def begin() -> None:
            beside: Any = greenlet(body)
            setattr(beside, UNNOTED, True)
            beside.switch()

        owner._loop.call_soon(begin)

    def result(self) -> Made:
        """Wait for what ``make`` returns; raises what it raises."""

        async def wait() -> Made:
            made: Made = await self._done
            return made

        with running_loop(self._owner._loop):
            found: Made = self._owner._sync(wait())
        return found
