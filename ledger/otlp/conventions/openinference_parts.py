"""What OpenInference says of retrieval, reranking and embedding.

Documents that a retriever found, or a reranker kept, are context retrieved: id and text become contents, the score
stays a number, the rank is the place in the list. Vectors are not kept: they are numbers made from the text that stands
beside them.
"""

from __future__ import annotations

from ledger.otlp.conventions.gen_ai import INPUT, json_of
from ledger.otlp.families import listed
from ledger.otlp.record import Found, Record
from ledger.otlp.values import Value, text_of

_RETRIEVED = ("retrieval.documents.", "reranker.output_documents.")
_TO_RERANK, _QUERY = "reranker.input_documents.", "reranker.query"
_EMBEDDINGS = "embedding.embeddings."


def add_retrieved(record: Record, found: Found) -> None:
    """Adds the documents retrieved or kept, and what was asked of a reranker."""
    for prefix in _RETRIEVED:
        documents = listed(record.under(prefix))
        if documents is not None:
            found.give("request.retrieved", [_document(each, at) for at, each in enumerate(documents)], prefix)
            if record.dropped:
                found.partial.add("request.retrieved")
            found.used_under.add(prefix)
    query = text_of(record.attributes.get(_QUERY))
    if query is not None:
        documents = listed(record.under(_TO_RERANK)) or []
        if found.give(INPUT, {"query": query, "documents": documents}, _QUERY):
            found.used.add(_QUERY)
            found.used_under.add(_TO_RERANK)


def add_embedded(record: Record, found: Found) -> None:
    """Adds the texts that were embedded."""
    items = listed(record.under(_EMBEDDINGS))
    if items is None:
        return
    found.used_under.add(_EMBEDDINGS)
    texts = [_embedded_text(each) for each in items]
    if any(texts) and found.give(INPUT, texts, _EMBEDDINGS) and record.dropped:
        found.partial.add(INPUT)


def _embedded_text(item: Value) -> Value:
    inner = item.get("embedding", item) if isinstance(item, dict) else item
    return inner.get("text") if isinstance(inner, dict) else None


def _document(item: Value, at: int) -> dict[str, Value]:
    if not isinstance(item, dict):
        return {"text": item, "rank": at + 1}
    document = {key: value for key, value in item.items() if key != "content"}
    if "content" in item:
        document["text"] = item["content"]
    if isinstance(document.get("metadata"), str):
        document["metadata"] = json_of(document["metadata"])
    document.setdefault("rank", at + 1)
    return document
