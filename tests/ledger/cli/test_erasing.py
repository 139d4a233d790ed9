"""`erase`, `expire` and `hold` beside a running ledger, with the real wait for caches."""

from __future__ import annotations

import base64
from pathlib import Path
from uuid import UUID

from tests.ledger.cli.events import event, line
from tests.ledger.cli.running import TENANT, Cli, Up

PERSON = "mia_li_3668"


def bytes_under(folder: Path) -> bytes:
    """Every byte of every file."""
    return b"\0".join(each.read_bytes() for each in sorted(folder.rglob("*")) if each.is_file())


def test_from_the_hold_to_the_certificate(served: tuple[Cli, Up], tmp_path: Path) -> None:
    """A hold refuses; released, the person is erased at once, everywhere; proofs hold, others stay, the note checks."""
    cli, up = served
    hers = [event(PERSON, f"hers {number}") for number in range(3)]
    lines = "".join(line(each) for each in [*hers, event("jon", "his")])
    cli.good("publish", "-", "--tenant", TENANT, "--to", up.gateway, "--wait", stdin=lines)
    before = tmp_path / "before.txt"
    before.write_text(cli.good("checkpoint", "--tenant", TENANT).out)
    order = ("--tenant", TENANT, "--to", up.gateway, "--requester", "olga")

    placed = cli.good("hold", "add", "CASE-1", "--subject", PERSON, *order)
    assert placed.out == "hold CASE-1 stands\n"
    refused = cli.run("erase", "--subject", PERSON, *order)
    assert (refused.code, "CASE-1" in refused.err) == (2, True)
    assert cli.good("expire", "--dry-run").out == "nothing is past its retention\n"
    cli.good("hold", "release", "CASE-1", *order)
    [row] = cli.good("hold", "list", "--tenant", TENANT, "--json").json
    assert (row["stands"], row["recorded"]) == (False, True)

    certificate = tmp_path / "certificate.txt"
    [done] = cli.good(
        "erase", "--subject", "-", *order, "--approver", "paul", "--now", "-o", str(certificate), "--json",
        stdin=f"{PERSON}\n",
    ).json  # fmt: skip
    assert done["contents"] == 9
    assert done["certificate"] == certificate.read_text()
    checked = cli.good("erase", "--check", str(certificate)).out
    assert "approved by paul" in checked
    assert f"event {done['events'][0]}" in checked

    assert cli.good("verify", "--full", "--since", str(before)).code == 0
    found = bytes_under(cli.home)
    assert PERSON.encode() not in found
    assert PERSON.encode().hex().encode() not in found
    assert base64.b64encode(PERSON.encode())[:-4] not in found
    shown = cli.good("reconstruct", "--event", str(UUID(bytes=hers[0].event_id)), "--tenant", TENANT, "--json").out
    assert "hers 0" not in shown
    assert done["events"][0] in shown.replace("-", "")
    assert cli.run("erase", "--subject", PERSON, *order).code == 2
    assert cli.good("erase", "--resume").out == "nothing to do\n"


def test_what_cannot_be_ordered(cli: Cli) -> None:
    """Who orders does not approve, several must approve where that is the rule, and no reason names the person."""
    cli.make(TENANT)
    order = ("erase", "--tenant", TENANT, "--subject", PERSON, "--requester", "olga")
    assert "his own order" in cli.run(*order, "--approver", "olga").err
    assert "names the person" in cli.run(*order, "--reason", f"please forget {PERSON.upper()}").err
    strict = Cli(cli.home, {"AUDIT_LEDGER_ERASURE_APPROVERS_LEAST": "2"})
    assert "needs 2 approvers" in strict.run(*order, "--approver", "paul").err
    assert "no such person" in cli.run(*order).err or "no keys" in cli.run(*order).err
