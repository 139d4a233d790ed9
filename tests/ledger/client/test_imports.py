"""What the client's install needs."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
import sysconfig
from importlib.machinery import PathFinder

# cffi is what pynacl stands on (_sodium is its library), typing_extensions what grpcio does.
allowed = {"grpc", "google", "nacl", "_sodium", "cffi", "_cffi_backend", "typing_extensions"}
before = set(sys.modules)
ours = {"ledger", "ledger.errors", "ledger.client", "ledger.v1"}
third_party = tuple({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")})
refused = []

class Wall:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top == "ledger":
            if not any(name == each or name.startswith(each + ".") for each in ours - {"ledger"}) and name != "ledger":
                refused.append(name)
                raise ModuleNotFoundError(name)
            return None
        spec = PathFinder.find_spec(name, path)
        origin = getattr(spec, "origin", None) or ""
        if origin.startswith(third_party) and top not in allowed:
            refused.append(name)
            raise ModuleNotFoundError(name)
        return None

sys.meta_path.insert(0, Wall())
from ledger.client import AsyncClient, Client, Ledger, request
client = Client("127.0.0.1:1", tenant="acme", service="support-bot", spool_dir=sys.argv[1])
client.emit(request(vendor="openai", model_requested="gpt-4o", user="mia", input="...", output="..."))
with Ledger(client).tool("look", side_effect="read", parameters={"key": 7}) as run:
    run.returned(["x"])
client.close(0.1)
loaded = {name.partition(".")[0] for name, module in sys.modules.items()
          if name not in before and (getattr(module, "__file__", None) or "").startswith(third_party)}
print(sorted(loaded - allowed), [name for name in refused if name.startswith("ledger")])
"""


def test_the_client_needs_grpcio_protobuf_and_pynacl_only(tmp_path: object) -> None:
    """With every other third-party module and every other part of the ledger blocked, the client works."""
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM, f"{tmp_path}/spool"], capture_output=True, text=True, timeout=60, check=False
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == "[] []"
