"""Records ``run.svg``: the example's run with one failing unit test, as a terminal shows it.

Run it in an environment that has sanerunner installed: ``python docs/images/record.py``.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
WIDTH = 100
COMMAND = "python manage.py test"

# The bug: the price of a plant in a tray is no longer rounded.
SOURCE = "orders/pricing.py"
RIGHT, WRONG = "to_cents(list_price * TRAY_PRICE)", "list_price * TRAY_PRICE"


def record() -> str:
    """Return what the run printed, with its colours."""
    with tempfile.TemporaryDirectory() as temporary:
        project = Path(temporary, "nursery").resolve()
        shutil.copytree(ROOT / "example", project, ignore=shutil.ignore_patterns("reports", ".*"))
        source = project / SOURCE
        text = source.read_text(encoding="utf-8")
        if RIGHT not in text:
            raise SystemExit(f"{SOURCE} no longer holds {RIGHT}")
        source.write_text(text.replace(RIGHT, WRONG), encoding="utf-8")
        completed = subprocess.run(
            [sys.executable, *COMMAND.split()[1:]],
            cwd=project,
            env={**os.environ, "FORCE_COLOR": "1", "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if completed.returncode != 1:
            raise SystemExit(f"the run was to fail, but exited with {completed.returncode}")
        output = completed.stdout
        for folder in (project, ROOT):  # no path of the machine that records
            output = output.replace(f"{folder}{os.sep}", "")
        return output


def draw(output: str) -> str:
    """Return the output as an SVG image of a terminal."""
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        console = Console(
            record=True, width=WIDTH, file=nowhere, force_terminal=True, color_system="truecolor"
        )
        console.print(Text.assemble(("$ ", "bold green"), COMMAND))
        console.print(Text.from_ansi(output), soft_wrap=True)
        svg = console.export_svg(title="nursery", theme=MONOKAI, unique_id="run")
    svg = svg.replace("<svg ", '<svg xml:space="preserve" ', 1)  # else indents may be lost
    svg = re.sub(r"@font-face\s*{[^}]*}", "", svg)  # which would be fetched from the network
    return "\n".join(line.rstrip() for line in svg.splitlines() if line.strip()) + "\n"


if __name__ == "__main__":
    (HERE / "run.svg").write_text(draw(record()), encoding="utf-8")
