"""The databases of an integration server, and the states that they are put back to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypedDict

from django.apps import apps
from django.db import connections, router

from ..behaviors.flush import flush_with
from ..conf import Config
from ..databases.baseline import CHECKPOINT, MIGRATED, Baselines
from ..databases.making import Keeping
from ..databases.provisioning import Provisioner
from ..exceptions import UnsafeDatabaseError, UsageError, unknown
from .clock import CLOCK
from .memories import Memory, Randomness
from .sequences import Sequences

#: The name of the populated state.
POPULATED = "populated"
# What attempt() goes back to, and what databases are at when a process ends: no names of users.
_BEFORE, _PRESENT = " before", " present"


class Remembered(TypedDict):
    """One state: its name in the databases, and what each memory has taken."""

    state: str
    memories: dict[str, Any]


class States:
    """Makes the databases of ``aliases`` (all, if there are none), as a test run does.

    With ``continued`` databases that an earlier process has left are used as they are, and its
    states are resumed. All methods are for the thread that has made the object.
    """

    def __init__(
        self,
        config: Config,
        aliases: Sequence[str] = (),
        *,
        verbosity: int = 1,
        interactive: bool = True,
        continued: bool = False,
        log: Callable[[str], None] = lambda line: None,
    ) -> None:
        for alias in aliases:
            if alias not in connections:
                raise UsageError(f"--database: {unknown('database', alias, connections)}.")
        self._wanted = dict.fromkeys(aliases or connections, False)
        self._config = config
        self._made: list[str] = []  # aliases of databases whose content is new
        self._baselines = Baselines(say=log)
        self.provisioner = Provisioner(
            verbosity=verbosity,
            interactive=interactive,
            keeping=Keeping(
                project=config.project,
                keepdb=config.keepdb,
                continued=continued,
                create_db=config.create_db,
                fingerprint_files=config.fingerprint_files,
            ),
            suffix=config.database_suffix,
            image_cache=config.image_cache,
            migrate=config.migrate,
            baselines=self._baselines,
            created=self._note_created,
        )
        self.aliases: tuple[str, ...] = ()
        self.memories: list[Memory] = [Randomness(), Sequences(), CLOCK]
        self._remembered: dict[str, Remembered] = {}
        self._number = 0  # of the last state that was captured
        self._replaced: list[str] | None = None  # states of databases to be forgotten later

    def _note_created(self, alias: str) -> None:
        self._made.append(alias)
        if self._config.flush_after_creation:
            flush_with(self._config.flush_command, None, [alias])

    def make(self) -> None:
        """Make the databases. Raises UsageError for one that cannot be put back."""
        layout = self.provisioner.require(self._wanted)
        self.aliases = tuple(database.alias for database in layout.databases)
        for alias in self.aliases:
            if not self._baselines.covers([alias]):
                raise UsageError(
                    f"Database {alias!r} cannot be put back: there is no rewind for "
                    f"{connections[alias].vendor}. Leave it out with --database."
                )
        used = {alias for database in layout.databases for alias in database.aliases}
        self.provisioner.guard.watched = set()
        self.provisioner.guard.ask(self._refuse(used | set(layout.mirrors)), lambda alias: None)

    def _refuse(self, used: set[str]) -> Callable[[str], None]:
        def refuse(alias: str) -> None:
            if alias not in used:
                raise UnsafeDatabaseError(
                    f"Database {alias!r} was opened, but this integration server has only "
                    f"{', '.join(sorted(used))}: add --database {alias}."
                )

        return refuse

    def prepare(self) -> None:
        """Make what rewinding needs, before anything is written."""
        self._baselines.prepare(self.aliases)

    @property
    def names(self) -> tuple[str, ...]:
        """The states that there are."""
        return tuple(name for name in self._remembered if name != _BEFORE)

    def capture(self, name: str) -> None:
        """Take the present content as the state ``name``; one of that name is replaced."""
        replaced = self._remembered.get(name)
        self._number += 1
        state = CHECKPOINT if self._number == 1 else f"{CHECKPOINT} {self._number}"
        self._baselines.capture(self.aliases, state)
        self._remembered[name] = {"state": state, "memories": self._take()}
        if replaced is not None:
            self._forget(replaced["state"])

    def _take(self) -> dict[str, Any]:
        return {memory.name: memory.take() for memory in self.memories}

    def _forget(self, state: str) -> None:
        if self._replaced is not None:
            self._replaced.append(state)
        else:
            self._baselines.forget(self.aliases, state)

    def rewind(self, name: str) -> tuple[str, ...]:
        """Put the databases back to the state ``name``; return the tables that were repaired.

        Raises UsageError for an unknown state, RewindError where a database cannot be put back.
        """
        if name not in self._remembered:
            raise UsageError(f"{unknown('checkpoint', name, self.names)}.")
        remembered = self._remembered[name]
        repairs = self._baselines.rewind(self.aliases, remembered["state"])
        self._restore(remembered["memories"])
        return tuple(table for repair in repairs for table in repair.rewound.tables)

    def _restore(self, taken: dict[str, Any]) -> None:
        for memory in self.memories:
            if memory.name in taken:
                memory.restore(taken[memory.name])

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """If the block raises, all is as it was before: databases, memories, states."""
        before = dict(self._remembered)
        self.capture(_BEFORE)
        self._replaced = []
        try:
            yield
        except BaseException:
            self.rewind(_BEFORE)
            kept = {each["state"] for each in before.values()}
            made = {each["state"] for each in self._remembered.values()} | set(self._replaced)
            self._remembered, self._replaced = before, list(made - kept)
            raise
        finally:
            left = self._replaced or []
            self._replaced = None
            last = self._remembered.pop(_BEFORE, None)
            for state in {*left, *([last["state"]] if last is not None else [])}:
                self._baselines.forget(self.aliases, state)

    def migrated(self) -> None:
        """Put the databases back to what migrations have left, and forget all states."""
        self._baselines.rewind(self.aliases, MIGRATED)
        self._remembered.clear()

    # From one process to the next

    def remembered(self) -> dict[str, Any]:
        """Return what another process needs to ``resume()`` the states."""
        present: Remembered = {"state": "", "memories": self._take()}
        return {**self._remembered, _PRESENT: present}

    def resume(self, remembered: dict[str, Any]) -> bool:
        """Use the states of an earlier process, whose databases are as it has left them; False
        if one of the databases was made anew, or migrated forward, or its states are not there.
        """
        if self._made or POPULATED not in remembered:
            return False
        present = remembered.pop(_PRESENT)
        for name, each in remembered.items():
            if all(self._baselines.resume_state(alias, each["state"]) for alias in self.aliases):
                self._remembered[name] = each
        if POPULATED not in self._remembered:
            return False
        states = [each["state"] for each in remembered.values()]
        self._number = max(int(state.removeprefix(CHECKPOINT) or 1) for state in states)
        self._restore(present["memories"])
        return True

    def remove(self) -> list[str]:
        """Drop the databases that an earlier process has left; return their aliases."""
        return self.provisioner.remove_kept(self._wanted)

    # About them

    def unmarked(self) -> list[str]:
        """Return the aliases of databases that do not carry the mark of this run."""
        return self.provisioner.unmarked()

    def counts(self) -> dict[str, dict[str, int]]:
        """Return how many rows there are: alias -> label of the model -> number."""
        return {alias: _counts(alias) for alias in self.aliases}


def _counts(alias: str) -> dict[str, int]:
    with connections[alias].cursor() as cursor:
        tables = set(connections[alias].introspection.table_names(cursor))
    models: Iterable[Any] = (
        model
        for model in apps.get_models(include_auto_created=True)
        if model._meta.managed
        and model._meta.db_table in tables
        and router.allow_migrate_model(alias, model)
    )
    return {
        model._meta.label: model._base_manager.using(alias).order_by().count() for model in models
    }
