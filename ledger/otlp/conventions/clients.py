"""What vendors' own clients and cloud instrumentation write beside the conventions, each under names of its own.

Anthropic's client traces itself: `gen_ai.*` for the call, and `anthropic.*` for what the conventions leave out or it
does not write in their words, the reason why the model stopped among them. Instrumentation of AWS's client names the
request by `aws.request_id` where the answer has no id of its own.
"""

from __future__ import annotations

from ledger.otlp.reading import Convention, Row
from ledger.otlp.values import text_of

CLIENTS = Convention(
    "vendors' own clients",
    frozenset({"anthropic", "aws", "openai", "azure", "az"}),
    (
        Row("request.finish_reason_raw", "anthropic.message.stop_reason", text_of),
        Row("request.provider_request_id", "aws.request_id", text_of),
        Row("request.provider_request_id", "anthropic.request.id", text_of),
        Row("request.provider_request_id", "azure.service.request.id", text_of),
        Row("request.provider_request_id", "az.service_request_id", text_of),
        Row("request.vendor_account", "anthropic.organization.id", text_of),
        Row("request.endpoint_tier", "anthropic.response.service_tier", text_of),
        Row("request.endpoint_tier", "openai.response.service_tier", text_of),
        Row("request.endpoint_tier", "openai.request.service_tier", text_of),
    ),
)
