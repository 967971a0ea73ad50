"""The other process of the contract's tests: reads a job from stdin, prints its answer as JSON."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from typing import Any

import django
from django.conf import settings
from django.db.utils import load_backend


def execute(wrapper: Any, statements: list[str]) -> None:
    """Run each statement and commit."""
    with wrapper.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def die_in_a_test(wrapper: Any, statements: list[str]) -> None:
    """Commit all statements but the last, leave that one open, and end as if killed."""
    execute(wrapper, statements[:-1])
    wrapper.set_autocommit(False)
    execute(wrapper, statements[-1:])
    print("null", flush=True)
    os._exit(0)


def resume(wrapper: Any, state: str) -> Mapping[str, Any]:
    """Resume a state that another process captured, and rewind to it."""
    from sanerunner.databases.operations import operations_for

    operations = operations_for(wrapper)
    assert operations is not None
    operations.open()
    try:
        answer: dict[str, Any] = {"document": operations.read_document()}
        answer["resumed"] = operations.resume(state)
        if answer["resumed"]:
            answer["changed"] = bool(operations.rewind(state))
            answer["again"] = bool(operations.rewind(state))
    finally:
        operations.close()
    return answer


ACTIONS = {"execute": execute, "die_in_a_test": die_in_a_test, "resume": resume}


def main() -> None:
    job = json.load(sys.stdin)
    settings.configure(DATABASES={"default": job["settings"]}, USE_TZ=True)
    django.setup()
    backend = load_backend(job["settings"]["ENGINE"])
    wrapper = backend.DatabaseWrapper(job["settings"], "throwaway")
    answer = ACTIONS[job["action"]](wrapper, *job["arguments"])
    wrapper.close()
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
