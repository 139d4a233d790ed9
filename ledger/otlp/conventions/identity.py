"""Who it was for, in which session: attributes that are not of one convention of generative AI.

Of the user's identifiers the first counts, in the order of `USER`; all of them are claims, and the event says which
attribute made it.
"""

from __future__ import annotations

from ledger.otlp.reading import Convention, Row
from ledger.otlp.values import text_of

USER = (
    "enduser.id",
    "user.id",
    "langfuse.user.id",
    "traceloop.association.properties.user_id",
    "gen_ai.user",
    "llm.user",
)

IDENTITY = Convention(
    "identity and session",
    frozenset({"enduser", "user", "langfuse", "traceloop", "gen_ai", "llm", "session"}),
    (
        *(Row("user", attribute, text_of) for attribute in USER),
        Row("story.session_id", "gen_ai.conversation.id", text_of),
        Row("story.session_id", "session.id", text_of),
        Row("story.session_id", "langfuse.session.id", text_of),
        Row("story.session_id", "traceloop.association.properties.session_id", text_of),
    ),
)
