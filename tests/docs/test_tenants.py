"""docs/TENANTS.md: a tenant's end as it is shown, beside a running ledger, with the real waits."""

from __future__ import annotations

from tests.docs.test_readme import ROOT, Shell, commands, shell  # noqa: F401

DELETED_WITHIN_S = 400


def test_the_end_of_a_tenant_as_shown(shell: Shell) -> None:  # noqa: F811
    """Exported, checked, deleted, stated, verified: every command of the document, in its order."""
    outputs = {line: shell.run(line, DELETED_WITHIN_S) for line in commands(ROOT / "docs" / "TENANTS.md")}

    def of(beginning: str) -> list[str]:
        return [output for line, output in outputs.items() if line.startswith(f"audit-ledger {beginning}")]

    plain, whole, after = (" ".join(each.split()) for each in of("check-export"))
    assert "0 contents as committed to" in plain
    assert "good: tenant acme" in whole
    assert "0 contents as committed to" not in whole
    assert "good: tenant acme" in after
    planned, deleted = of("tenant delete")
    assert "in the way" not in planned
    assert deleted.startswith("audit.example.org/final-statement/v1\ntenant acme\n")
    stated, checked = of("tenant statement")
    assert stated == deleted
    assert "signed by audit.example.org" in checked
    (verified,) = of("verify")
    assert "deleted logs: 1" in " ".join(verified.split())
    assert "passed" in verified
    assert "nothing to look into" in of("fsck")[0]
