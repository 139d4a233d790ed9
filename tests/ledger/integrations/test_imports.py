"""What the integrations' install needs besides the framework: the client's."""

from __future__ import annotations

from pathlib import Path

from tests.ledger.integrations.conftest import run

PROGRAM = """
import sys, sysconfig
from importlib.machinery import PathFinder
from types import ModuleType

# The frameworks themselves are stood in for: what they import is theirs.
for name in ("litellm", "litellm.integrations", "litellm.integrations.custom_logger", "langchain_core",
             "langchain_core.callbacks"):
    sys.modules[name] = ModuleType(name)
sys.modules["litellm.integrations.custom_logger"].CustomLogger = type("CustomLogger", (), {})
sys.modules["langchain_core.callbacks"].BaseCallbackHandler = type("BaseCallbackHandler", (), {})
allowed = {"grpc", "google", "nacl", "_sodium", "cffi", "_cffi_backend", "typing_extensions"}
third_party = tuple({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")})

class Wall:
    def find_spec(self, name, path=None, target=None):
        spec = PathFinder.find_spec(name, path)
        origin = getattr(spec, "origin", None) or ""
        if origin.startswith(third_party) and name.partition(".")[0] not in allowed:
            raise ModuleNotFoundError(name)
        return None

sys.meta_path.insert(0, Wall())
import ledger.integrations.litellm, ledger.integrations.langchain
print("imported")
"""


def test_they_need_the_clients_install_and_the_framework_only(tmp_path: Path) -> None:
    """With every other third-party module blocked, both can be imported."""
    assert run(PROGRAM, home=tmp_path) == "imported\n"
