"""How vendors are spelled: as OpenTelemetry's conventions do, whatever the convention that a record follows.

Policies name vendors; one vendor must not have several names. A spelling that is not here is kept as it came, in lower
case where that is all that differs.
"""

from __future__ import annotations

from ledger.otlp.values import Value, text_of

SPELLINGS = {
    "az.ai.openai": "azure.ai.openai",
    "azure": "azure.ai.openai",
    "azure_openai": "azure.ai.openai",
    "azure-openai": "azure.ai.openai",
    "az.ai.inference": "azure.ai.inference",
    "aws": "aws.bedrock",
    "bedrock": "aws.bedrock",
    "amazon": "aws.bedrock",
    "amazon_bedrock": "aws.bedrock",
    "google": "gcp.gen_ai",
    "gemini": "gcp.gemini",
    "vertexai": "gcp.vertex_ai",
    "vertex_ai": "gcp.vertex_ai",
    "google_vertexai": "gcp.vertex_ai",
    "mistralai": "mistral_ai",
    "mistral": "mistral_ai",
    "xai": "x_ai",
    "watsonx": "ibm.watsonx.ai",
    "openai": "openai",
    "anthropic": "anthropic",
    "cohere": "cohere",
    "groq": "groq",
    "deepseek": "deepseek",
    "perplexity": "perplexity",
}
"""By what others write, in lower case."""


def vendor_of(value: Value) -> str | None:
    """The vendor's name."""
    text = text_of(value)
    return None if text is None else SPELLINGS.get(text.strip().lower(), text)
