"""The directive ``options-list``: every option of the runner, from its declaration.

``options-list:: own`` lists the options that sanerunner adds, ``options-list:: django`` those of
Django's runner.
"""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from sanerunner.options import OPTIONS, Option
from sanerunner.options.integration import IntegrationSettings
from sanerunner.parsing import DEFAULT_STAGES, describe_stages


class OptionsList(SphinxDirective):
    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        (which,) = self.arguments
        if which not in {"own", "django"}:
            raise self.error(f"options-list takes 'own' or 'django', not {which!r}")
        options = [option for option in OPTIONS if option.django == (which == "django")]
        return [nodes.definition_list("", *(_item(option) for option in options))]


def _item(option: Option) -> nodes.definition_list_item:
    term = nodes.term()
    for flag in _flags(option):
        if term.children:
            term += nodes.Text(", ")
        term += nodes.literal("", flag)
    if not option.flags:
        term += [nodes.literal("", option.key), nodes.Text(" (in the setting only)")]
    values = nodes.paragraph("", "Key ")
    values += [nodes.literal("", option.key), nodes.Text(", default ")]
    values += [nodes.literal("", _default(option)), nodes.Text(".")]
    definition = nodes.definition("", nodes.paragraph("", option.help), values)
    return nodes.definition_list_item("", term, definition)


def _flags(option: Option) -> list[str]:
    metavar = (option.arguments or {}).get("metavar", "")
    optional = (option.arguments or {}).get("nargs") == "?"
    suffix = f"[={metavar}]" if optional else f" {metavar}" if metavar else ""
    flags = [f"{flag}{suffix}" for flag in option.flags]
    if option.is_switch and flags and not option.spelling.startswith("--no-"):
        flags.append(option.spelling.replace("--", "--no-", 1))
    return flags


def _default(option: Option) -> str:
    if option.default is DEFAULT_STAGES:
        return repr(describe_stages(DEFAULT_STAGES))
    if isinstance(option.default, IntegrationSettings):
        return "{}"
    return repr(option.default)


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("options-list", OptionsList)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
