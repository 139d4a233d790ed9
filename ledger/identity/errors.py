"""How a call ends that is not allowed. What the caller reads is the same for every reason; `why` is for the record."""

from __future__ import annotations

from ledger.errors import LedgerError

NOT_ALLOWED = "none of your roles allows this call for this tenant, or there is no such tenant"
NO_CREDENTIAL = "authorization: a valid credential is required"


class Unauthenticated(LedgerError):
    """The call has no credential that holds."""

    exit_code = 2

    def __init__(self, text: str = NO_CREDENTIAL, why: str = "no credential") -> None:
        super().__init__(text)
        self.why = why


class Denied(LedgerError):
    """The caller is known, and may not do this.

    For the record: who he is, why, for which tenant he asked, whether that is one of his, and in which role, "" where
    in none.
    """

    exit_code = 2

    def __init__(self, who: str, why: str, tenant: str, *, owns: bool, role: str = "", case_id: str = "") -> None:
        super().__init__(NOT_ALLOWED)
        self.who = who
        self.why = why
        self.tenant = tenant
        self.owns = owns
        self.role = role
        self.case_id = case_id
