"""The supervisor's children as the files give them: the classes they name, and the sections those declare."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from .checking import Checker, where_of
from .sections import ENGINE_SECTIONS, ChildSettings, SupervisorSettings, walk
from .sources import Leaf, Tree, merge


class Children:
    """What stands below ``[supervisor]``. ``complete``: everything of it could be read."""

    def __init__(self, tree: Tree, checker: Checker) -> None:
        before = len(checker.lines)
        self._checker = checker
        self._tables = dict(_tables(tree.get("supervisor", {})))
        self.settings: SupervisorSettings | None = checker.section(
            SupervisorSettings, tree.get("supervisor", {}), ("supervisor",)
        )
        self._all = tuple(walk(self.settings.children)) if self.settings is not None else ()
        self.actors = {child.id: kind for child in self._all if (kind := self._import(child)) is not None}
        self.sections = {**self._declared(), **ENGINE_SECTIONS}
        self.complete = len(checker.lines) == before

    def overlaid(self, tree: Tree, checker: Checker) -> dict[str, Any]:
        """For each child with ``options`` its class's section, with them laid over what all have."""
        made = {}
        for child in self._all:
            kind = self.actors.get(child.id)
            if not child.options or kind is None:
                continue
            options = self._tables[child.id]["options"]
            if kind.section is None:
                checker.add(where_of(options), ("options",), f"{child.start!r} has no section of settings")
                continue
            below = merge(tree.get(kind.section, {}), options)
            made[child.id] = checker.section(kind.Settings, below, (kind.section,))
        return made

    def _declared(self) -> dict[str, type[Any]]:
        """Section name to struct; one section belongs to one struct."""
        declared: dict[str, type[Any]] = {}
        for id, kind in self.actors.items():
            if kind.section is None:
                continue
            if declared.setdefault(kind.section, kind.Settings) is not kind.Settings or kind.section in ENGINE_SECTIONS:
                self._wrong(id, f"section [{kind.section}] belongs to somebody else: declare one of its own")
        return declared

    def _import(self, child: ChildSettings) -> type[Any] | None:
        if child.start is None:
            return None
        module, _, name = child.start.partition(":")
        try:
            found = getattr(importlib.import_module(module), name)
        except AttributeError:
            self._wrong(child.id, f"{module} has no class {name!r}")
        except Exception as error:  # whatever a module of somebody else does when it is imported
            self._wrong(child.id, f"{child.start!r} cannot be imported: {error or type(error).__name__}")
        else:
            if isinstance(found, type) and hasattr(found, "from_configuration"):
                return found
            self._wrong(child.id, f"{child.start!r} is not an actor class")
        return None

    def _wrong(self, id: str, what: str) -> None:
        self._checker.say(f"{where_of(self._tables[id].get('start'))}: child {id!r}: {what}")


def _tables(supervisor: Mapping[str, Any]) -> list[tuple[str, Tree]]:
    """Every child's table by its id."""
    found = []
    children = supervisor.get("children", []) if isinstance(supervisor, dict) else []
    for table in children if isinstance(children, list) else ():
        if isinstance(table.get("id"), Leaf):
            found.append((table["id"].value, table))
        found += _tables(table)
    return found
