"""A plugin that writes a line for each slow test to a file, while the run lasts."""

from pathlib import Path

from sanerunner import Plugin
from sanerunner.events import RunStarted, TestFinished


class SlowTests(Plugin):
    seconds = 0.5

    def configure(self):
        self._path = Path("slow-tests.txt").absolute()

    def handle_event(self, event):
        if isinstance(event, RunStarted):
            self._path.write_text("", encoding="utf-8")
        elif isinstance(event, TestFinished) and event.duration >= self.seconds:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(f"{event.duration:.3f} {event.test.id}\n")
