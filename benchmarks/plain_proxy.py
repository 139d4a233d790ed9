"""The peer of the recording proxy: the least reverse proxy on the same library, aiohttp, that streams both ways.

It reads a request's body, passes on all fields but the hop's own, and writes what comes back as it comes. It decides
nothing, records nothing, checks nothing; what the recording proxy costs beyond it is the price of doing that.
"""

from __future__ import annotations

import asyncio
from multiprocessing.connection import Connection

import aiohttp
from aiohttp import web
from yarl import URL

_HOP = {"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "host", "content-length"}


def serve(upstream: str, told: Connection) -> None:
    """Serves on a free port until the process is ended; tells the port."""
    asyncio.run(_serve(upstream, told))


async def _serve(upstream: str, told: Connection) -> None:
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as session:

        async def handle(request: web.BaseRequest) -> web.StreamResponse:
            headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP}
            body = await request.read()
            url = URL(upstream + request.raw_path, encoded=True)
            async with session.request(request.method, url, headers=headers, data=body) as answer:
                back = {name: value for name, value in answer.headers.items() if name.lower() not in _HOP}
                response = web.StreamResponse(status=answer.status, headers=back)
                if answer.content_length is not None:
                    response.content_length = answer.content_length
                await response.prepare(request)
                async for piece in answer.content.iter_any():
                    await response.write(piece)
                await response.write_eof()
                return response

        runner = web.ServerRunner(web.Server(handle, access_log=None))
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        told.send(runner.addresses[0][1])
        await asyncio.Event().wait()
