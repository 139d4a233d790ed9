"""What every loopback vendor answers: one short story, decided by the request alone.

The servers keep no conversation. What a request holds decides the turn:

- a marker in the last text of the user: `OVERLOADED` answers 429, `INVALID` answers 400, `CUT` breaks a stream off in
  the middle (without streaming: closes the connection without an answer);
- else the result of a tool as the last message: the final answer;
- else tools offered: a call of `find_order`;
- else: a plain answer.

So runs may go on side by side, and retries are answered alike.
"""

from __future__ import annotations

from enum import Enum

# In the last text of the user.
OVERLOADED = "[answer 429]"
INVALID = "[answer 400]"
CUT = "[cut the stream]"

TOOL = "find_order"
ARGUMENTS = {"order_id": "1001"}
ANSWER = "Order 1001 arrives on Friday."
PLAIN = "Good morning."

# Tokens of each turn, as (in, out, of those in: read from the cache).
ASKING_TOKENS = (57, 18, 0)
ANSWER_TOKENS = (92, 9, 16)
PLAIN_TOKENS = (12, 3, 0)


class Turn(Enum):
    """See the module's docstring."""

    ASK_TOOL = "ask_tool"
    ANSWER = "answer"
    PLAIN = "plain"
    OVERLOADED = "overloaded"
    INVALID = "invalid"
    CUT = "cut"

    @property
    def text(self) -> str:
        """What the model says; empty where it asks for a tool."""
        return {Turn.ASK_TOOL: "", Turn.ANSWER: ANSWER}.get(self, PLAIN)

    @property
    def tokens(self) -> tuple[int, int, int]:
        """In, out, cached."""
        return {Turn.ASK_TOOL: ASKING_TOKENS, Turn.ANSWER: ANSWER_TOKENS}.get(self, PLAIN_TOKENS)


def turn_of(last_user_text: str, *, tool_answered: bool, tools_offered: bool) -> Turn:
    """The turn of a request; `tool_answered`: its last message is a tool's result."""
    for marker, turn in ((OVERLOADED, Turn.OVERLOADED), (INVALID, Turn.INVALID), (CUT, Turn.CUT)):
        if marker in last_user_text:
            return turn
    if tool_answered:
        return Turn.ANSWER
    return Turn.ASK_TOOL if tools_offered else Turn.PLAIN


def pieces(text: str) -> list[str]:
    """A text as a stream gives it: word by word, joined they are the text."""
    words = text.split(" ")
    return [word if place == 0 else " " + word for place, word in enumerate(words)]
