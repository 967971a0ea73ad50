"""Settings and options -> one frozen ``Config``. No other package reads settings.

The command line wins over the ``SANERUNNER`` setting; older settings (django-sane-testing's and
unittest-xml-reporting's) fill in what neither gives.
"""

from .arguments import add_arguments
from .config import Config
from .environment import postgresql_service_files, settings_module
from .loading import SETTING, load, plugin_paths, problems

__all__ = [
    "SETTING",
    "Config",
    "add_arguments",
    "load",
    "plugin_paths",
    "postgresql_service_files",
    "problems",
    "settings_module",
]
