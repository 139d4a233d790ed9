"""Which runs there are: the five recipes as they stand, and the alternatives that the document names."""

from __future__ import annotations

from tests.vendors.recipes import Run

OTEL_OPENAI = "opentelemetry.instrumentation.genai.openai"
OTHER_PERSON = "others"
"""One person asks in all runs that are not recipes: one reconstruction tells of all of them."""

RECOMMENDED = (
    Run("openai", "openai_app", "OpenAI", "openai"),
    Run("azure", "azure_app", "Azure OpenAI", "azure"),
    Run("anthropic", "anthropic_app", "Anthropic", "anthropic"),
    Run("vertex", "vertex_app", "Google Vertex AI", "vertex"),
    Run("bedrock", "bedrock_app", "AWS Bedrock", "bedrock"),
)


def _openai(name: str, package: str) -> Run:
    return Run(name, "openai_app", "OpenAI", OTHER_PERSON, instead=((OTEL_OPENAI, package),))


def _azure(name: str, package: str) -> Run:
    return Run(name, "azure_app", "Azure OpenAI", OTHER_PERSON, instead=((OTEL_OPENAI, package),))


def _anthropic(name: str, package: str, *, beside: bool = False) -> Run:
    """The client's own tracing is switched off, or `beside`: told only of what is no content."""
    made = "client = Anthropic()"
    added = f"from {package} import AnthropicInstrumentor\n\nAnthropicInstrumentor().instrument()\n{made}"
    own = {"ANTHROPIC_OPEN_TELEMETRY_TRACES_CONTENT_MODE": ""} if beside else {"ANTHROPIC_OPEN_TELEMETRY": "false"}
    return Run(name, "anthropic_app", "Anthropic", OTHER_PERSON, own, ((made, added),))


def _bedrock(name: str, package: str) -> Run:
    instead = (
        ("from opentelemetry.instrumentation.botocore import", f"from {package} import"),
        ("import BotocoreInstrumentor", "import BedrockInstrumentor"),
        ("BotocoreInstrumentor().", "BedrockInstrumentor()."),
    )
    return Run(name, "bedrock_app", "AWS Bedrock", OTHER_PERSON, instead=instead)


OTHERS = (
    _openai("openai-openinference", "openinference.instrumentation.openai"),
    _openai("openai-openllmetry", "opentelemetry.instrumentation.openai"),
    _azure("azure-openinference", "openinference.instrumentation.openai"),
    _azure("azure-openllmetry", "opentelemetry.instrumentation.openai"),
    _anthropic("anthropic-openinference", "openinference.instrumentation.anthropic"),
    _anthropic("anthropic-both", "openinference.instrumentation.anthropic", beside=True),
    _anthropic("anthropic-openllmetry", "opentelemetry.instrumentation.anthropic"),
    _bedrock("bedrock-openinference", "openinference.instrumentation.bedrock"),
    _bedrock("bedrock-openllmetry", "opentelemetry.instrumentation.bedrock"),
)


_SILENT = {"OTEL_SDK_DISABLED": "true", "ANTHROPIC_OPEN_TELEMETRY": "false"}


def _proxied(name: str, application: str, section: str, *instead: tuple[str, str]) -> Run:
    """The recipe's application without a span exported, its context told by headers."""
    swapped = ("from audited import audited\n", "from proxied import HEADERS, audited\n")
    return Run(f"{name}-proxied", application, section, "proxied", _SILENT, (swapped, *instead))


_IN_CALL = (
    """    if not stream:
        return client.""",
    """    asked["extra_headers"] = HEADERS.get()
    if not stream:
        return client.""",
)
PROXIED = (
    _proxied("openai", "openai_app", "OpenAI", _IN_CALL),
    _proxied("azure", "azure_app", "Azure OpenAI", _IN_CALL),
    _proxied("anthropic", "anthropic_app", "Anthropic", _IN_CALL),
    _proxied(
        "vertex",
        "vertex_app",
        "Google Vertex AI",
        ('"config": CONFIG}', '"config": CONFIG.model_copy(update={"http_options": {"headers": HEADERS.get()}})}'),
    ),
    _proxied(
        "bedrock",
        "bedrock_app",
        "AWS Bedrock",
        (
            'region_name="eu-central-1")\n',
            """region_name="eu-central-1")


def send(request, **_):
    for name, value in HEADERS.get().items():
        request.headers[name] = value


client.meta.events.register("before-sign.bedrock-runtime", send)
""",
        ),
    ),
)
"""The recipes' applications behind the recording proxy."""


def _recorded(name: str, application: str, section: str, source: str, *instead: tuple[str, str]) -> Run:
    """The recipe's application with the ledger's own client in it."""
    swapped = (
        ("from audited import audited\n", "from recorded import audited, ledger, run_tool\n"),
        ("from tools import run_tool\n", ""),
    )
    return Run(f"{name}-recorded", application, section, "recorded", _SILENT, (*swapped, *instead), source)


RECORDED = (
    _recorded("openai", "openai_app", "OpenAI", "openai_app"),
    _recorded(
        "azure",
        "azure_app",
        "Azure OpenAI",
        "openai_app",
        ('{"model": "gpt-4o"', '{"model": "support-gpt4o"'),
        (
            'vendor="openai", model="gpt-4o"',
            'vendor="azure.ai.openai", model="support-gpt4o", deployment="support-gpt4o", '
            'region="swedencentral", region_source="configuration"',
        ),
    ),
    _recorded("anthropic", "anthropic_app", "Anthropic", "anthropic_app"),
    _recorded("vertex", "vertex_app", "Google Vertex AI", "vertex_app"),
    _recorded("bedrock", "bedrock_app", "AWS Bedrock", "bedrock_app"),
)
"""The recipes' applications with the ledger's own client."""

BARE = Run(
    "bare",
    "openai_app",
    "OpenAI",
    OTHER_PERSON,
    {"OTEL_SERVICE_NAME": "bare-bot", "OTEL_RESOURCE_ATTRIBUTES": "ledger.tenant=acme"},
    (('audited({"user.id": user, "gen_ai.conversation.id": chat, **PROMPT})', "audited({})"),),
)
"""OpenAI's recipe with nothing but an address: it says nothing of whom, where and with which prompt."""

OVER_HTTP = Run(
    "openai-http",
    "openai_app",
    "OpenAI",
    OTHER_PERSON,
    instead=(
        (
            "opentelemetry.exporter.otlp.proto.grpc._log_exporter",
            "opentelemetry.exporter.otlp.proto.http._log_exporter",
        ),
        (
            "opentelemetry.exporter.otlp.proto.grpc.trace_exporter",
            "opentelemetry.exporter.otlp.proto.http.trace_exporter",
        ),
    ),
)
"""OpenAI's recipe with the exporters that speak HTTP."""

INSTRUMENTATION = {
    "openai": "opentelemetry-instrumentation-genai-openai",
    "azure": "opentelemetry-instrumentation-genai-openai",
    "anthropic": "the client's own",
    "vertex": "opentelemetry-instrumentation-google-genai",
    "bedrock": "opentelemetry-instrumentation-botocore",
    "openai-openinference": "openinference-instrumentation-openai",
    "openai-openllmetry": "opentelemetry-instrumentation-openai",
    "azure-openinference": "openinference-instrumentation-openai",
    "azure-openllmetry": "opentelemetry-instrumentation-openai",
    "anthropic-openinference": "openinference-instrumentation-anthropic",
    "anthropic-both": "openinference-instrumentation-anthropic and the client's own",
    "anthropic-openllmetry": "opentelemetry-instrumentation-anthropic",
    "bedrock-openinference": "openinference-instrumentation-bedrock",
    "bedrock-openllmetry": "opentelemetry-instrumentation-bedrock",
}
"""The package that each run is instrumented with."""
