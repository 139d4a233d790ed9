"""A vendor on loopback that costs next to nothing: chat completions whole, and streamed at a fixed pace.

Bytes are made once. `POST …/chat/completions` answers whole; with `"stream":true` in the body, `PIECES` events `GAP_S`
apart, each in a chunk of its own.
"""

from __future__ import annotations

import asyncio
import json
from multiprocessing.connection import Connection

PIECES = 20
GAP_S = 0.1
ANSWER = "The order was handed to the carrier this morning and arrives on Friday. " * 12
USAGE = {"prompt_tokens": 380, "completion_tokens": 200, "total_tokens": 580}


def _whole() -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": ANSWER}, "finish_reason": "stop"}
    value = {"id": "chatcmpl-1", "object": "chat.completion", "model": "gpt-4o-2024-08-06", "choices": [choice]}
    body = json.dumps({**value, "usage": USAGE}).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def _chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def _events() -> list[bytes]:
    base = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o-2024-08-06"}
    size = len(ANSWER) // PIECES
    found = []
    for at in range(PIECES):
        delta = {"content": ANSWER[at * size : (at + 1) * size]}
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": None if at + 1 < PIECES else "stop"}
        found.append(_chunk(f"data: {json.dumps({**base, 'choices': [choice]})}\n\n".encode()))
    return found


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
WHOLE = _whole()
EVENTS = _events()
END = _chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n"


def serve(told: Connection) -> None:
    """Serves on a free port until the process is ended; tells the port."""
    asyncio.run(_serve(told))


async def _serve(told: Connection) -> None:
    server = await asyncio.start_server(_connection, "127.0.0.1", 0, backlog=1_024)
    told.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


async def _connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                int(line.partition(b":")[2])
                for line in head.split(b"\r\n")
                if line.lower().startswith(b"content-length")
            )
            body = await reader.readexactly(length)
            if b'"stream":true' not in body:
                writer.write(WHOLE)
                continue
            writer.write(HEAD)
            for event in EVENTS:
                await asyncio.sleep(GAP_S)
                writer.write(event)
            writer.write(END)
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()
