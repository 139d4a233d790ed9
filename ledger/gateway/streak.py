"""What the gateway's own appends say about the event log: a rule, and no input or output.

A look at the log (`EventLog.healthy`) can find all well while appends fail: the disk is full, the brokers answer but
take nothing. So appends are heard too:

1. `FAILURES_MAX` failed appends, none of them under way when the one before had failed, and no success between them:
   the log is *refusing*. (Appends that fail together, in one group commit, are one failure.)
2. An append that ran out of its caller's time counts only if it had `PATIENCE_S`: an impatient caller says nothing
   about the log.
3. An append that succeeds ends it, whatever was before.
4. Nobody sends to a gateway that is not serving, so it would never hear of a success. While the log is refusing it is
   given a *trial* now and then, once a look at it finds nothing: it counts as working again, but the first failure
   makes it refusing once more. From trial to trial the wait doubles, from `TRIAL_FIRST_S` to `TRIAL_LAST_S`.
"""

from __future__ import annotations

FAILURES_MAX = 3
PATIENCE_S = 1.0
TRIAL_FIRST_S = 1.0
TRIAL_LAST_S = 60.0


class AppendStreak:
    """Failed appends since the last success. Times are seconds of one monotonic clock."""

    def __init__(self) -> None:
        self.failures = 0
        self.refusing = False
        self._heard_at = float("-inf")
        self._trial_at = 0.0
        self._trials = 0

    def succeeded(self) -> None:
        """An append is durable."""
        self.failures = self._trials = 0
        self.refusing = False

    def failed(self, began: float, now: float, allowed_s: float) -> None:
        """An append that `began` then, and had `allowed_s`, has failed `now`."""
        if began < self._heard_at or (now - began >= allowed_s and allowed_s < PATIENCE_S):
            return
        self._heard_at = now
        self.failures += 1
        if self.failures >= FAILURES_MAX and not self.refusing:
            self.refusing = True
            self._trial_at = now + min(TRIAL_LAST_S, TRIAL_FIRST_S * 2**self._trials)

    def try_again(self, now: float) -> bool:
        """A look at the log found nothing: whether it counts as working, be it on trial."""
        if self.refusing and now >= self._trial_at:
            self.refusing = False
            self.failures = FAILURES_MAX - 1
            # The longest wait is reached long before; 2 to the power of a count that goes on would become too large.
            self._trials = min(self._trials + 1, 16)
        return not self.refusing
