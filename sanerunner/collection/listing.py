"""The plan of a run, for ``--list``."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from typing import Any

from .stages import Plan, PlannedStage


def show(plan: Plan, databases: list[str], form: str | None) -> None:
    """Print the plan, for machines if ``form`` is "json", else for people."""
    describe = as_json if form == "json" else as_text
    try:
        print(describe(plan, databases), flush=True)
    except BrokenPipeError:  # the reader, "head" say, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def as_text(plan: Plan, databases: list[str]) -> str:
    """Return the plan for people: stages, kinds, classes, counts, databases."""
    lines = []
    for number, stage in enumerate(plan.stages, start=1):
        count = len(stage.tests)
        lines.append(f"Stage {number}: {stage.name} ({_tests(count)})")
        for (kind, class_name), tests in _classes(stage).items():
            lines.append(f"  {kind:<12}{tests:>5}  {class_name}")
    lines.append(f"{_tests(plan.total)}; databases: {', '.join(databases) or 'none'}")
    return "\n".join(lines)


def as_json(plan: Plan, databases: list[str]) -> str:
    """Return the plan for machines, with the id of every test."""
    return json.dumps(
        {
            "total": plan.total,
            "databases": databases,
            "stages": [_stage(stage) for stage in plan.stages],
        },
        indent=2,
    )


def _stage(stage: PlannedStage) -> dict[str, Any]:
    return {
        "name": stage.name,
        "kinds": [kind.value for kind in stage.definition.kinds],
        "total": len(stage.tests),
        "databases": sorted(stage.databases),
        "classes": [
            {
                "class": class_name,
                "kind": kind,
                "tests": [
                    planned.info.id
                    for planned in stage.tests
                    if (planned.info.kind, planned.info.class_name) == (kind, class_name)
                ],
            }
            for kind, class_name in _classes(stage)
        ],
    }


def _classes(stage: PlannedStage) -> Counter[tuple[str, str]]:
    return Counter((planned.info.kind, planned.info.class_name) for planned in stage.tests)


def _tests(count: int) -> str:
    return "1 test" if count == 1 else f"{count} tests"
