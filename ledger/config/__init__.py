"""Configuration: one frozen object a service, read once, from file < environment < flags.

| module                      | owns                                                                  |
| --------------------------- | --------------------------------------------------------------------- |
| `settings`, `otlp`, `proxy` | every setting and limit: name, unit, default, bounds, meaning         |
| `meaning`                   | how a setting is declared                                             |
| `load`                      | reading them from the three sources, and refusing what is not known   |
| `document`                  | the settings as a commented TOML file and as the tables of the manual |
| `address`                   | listen addresses                                                      |

Secrets never stand in the configuration: only the paths of the files that hold them do.
"""

from __future__ import annotations

from ledger.config.load import ENVIRONMENT_PREFIX, load, load_proxy
from ledger.config.otlp import OtlpConfig
from ledger.config.proxy import ProxyConfig
from ledger.config.settings import GatewayConfig, LedgerConfig, LogConfig, QueryConfig, SealerConfig

__all__ = [
    "ENVIRONMENT_PREFIX",
    "GatewayConfig",
    "LedgerConfig",
    "LogConfig",
    "OtlpConfig",
    "ProxyConfig",
    "QueryConfig",
    "SealerConfig",
    "load",
    "load_proxy",
]
