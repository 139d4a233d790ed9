"""Groups whose commands are imported when they are asked for, so that a command starts with what it needs alone.

A place is `module:attribute`, as in an entry point. Help of the group imports all of them, since it tells of each.
"""

from __future__ import annotations

from collections.abc import Mapping
from pkgutil import resolve_name
from typing import Any

import click


class LazyGroup(click.Group):
    """A group with commands at `places`, by name, beside those that are added to it."""

    def __init__(self, *args: Any, places: Mapping[str, str] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.places = dict(places or {})

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*self.commands, *self.places})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        found = super().get_command(ctx, cmd_name)
        if found is None and cmd_name in self.places:
            found = resolve_name(self.places[cmd_name])
            self.add_command(found, cmd_name)
        return found
