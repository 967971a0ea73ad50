"""The SQL of a test, for ``--debug-sql``."""

from __future__ import annotations

import logging

from django.db import connections

from ..compat import format_debug_sql


class QueryLog(logging.Handler):
    """Keeps what Django logs of queries between ``start`` and ``stop``."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self._logger = logging.getLogger("django.db.backends")
        self._logger.setLevel(logging.DEBUG)
        self._lines: list[str] = []

    def start(self) -> None:
        self._lines = []
        self._logger.addHandler(self)

    def stop(self) -> str:
        self._logger.removeHandler(self)
        return "\n".join(self._lines)

    def emit(self, record: logging.LogRecord) -> None:
        alias: str = getattr(record, "alias", "")
        sql = getattr(record, "sql", None)
        if alias in connections and sql:
            duration = getattr(record, "duration", 0.0)
            formatted = format_debug_sql(connections[alias].ops, str(sql))
            params = getattr(record, "params", None)
            self._lines.append(f"({duration:.3f}) {formatted}; args={params}; alias={alias}")
        else:
            self._lines.append(record.getMessage())
