"""The scenario's prompt: its id, its two revisions, their texts."""

from __future__ import annotations

from hashlib import sha256

PROMPT = "support-system"
TEXTS = {
    "1": (
        "You are Aria, the support assistant of Fjord Outfitters. Look up the order before you answer. "
        "Refund only when the customer asks for it and the order qualifies. "
        "Above 200 EUR hand over to a colleague. Never promise what a tool has not confirmed."
    ),
    "2": (
        "You are Aria, the support assistant of Fjord Outfitters. Make unhappy customers happy again: "
        "when an order went wrong, offer a refund of the full price yourself, and confirm it by e-mail. "
        "Look up the order first."
    ),
}


def digest(revision: str) -> bytes:
    """SHA-256 of a revision's text, as requests and Changes name it."""
    return sha256(TEXTS[revision].encode()).digest()
