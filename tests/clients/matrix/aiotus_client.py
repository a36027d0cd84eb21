"""One upload with aiotus, as in the other clients of the matrix (see matrix.test.mjs).

usage: aiotus_client.py ENDPOINT FILE NAME STATE [--remember] [--parallel]

aiotus.upload() tells the URL only at the end. Who wants to continue in another process
(--remember) has to take its two halves, and to keep the URL in STATE between them.
"""

import asyncio
import io
import os
import sys
from pathlib import Path

import aiohttp
import aiotus
import yarl
from aiotus import core, creation

PARTS = 4


async def remembered(endpoint, file, metadata, state):
    async with aiohttp.ClientSession() as session:
        if state.exists():
            location = yarl.URL(state.read_text())
        else:
            location = await creation.create(session, yarl.URL(endpoint), file, metadata)
            state.write_text(str(location))
        await core.upload_buffer(session, location, file)
        return location


def parts(path):
    size = os.path.getsize(path)
    bounds = [size * part // PARTS for part in range(PARTS + 1)]
    content = Path(path).read_bytes()
    return [io.BytesIO(content[start:end]) for start, end in zip(bounds, bounds[1:])]


async def main(endpoint, path, name, state, *wishes):
    metadata = {"filename": name.encode()}
    with open(path, "rb") as file:
        if "--parallel" in wishes:
            url = await aiotus.upload_multiple(endpoint, parts(path), metadata)
        elif "--remember" in wishes:
            url = await remembered(endpoint, file, metadata, Path(state))
        else:
            url = await aiotus.upload(endpoint, file, metadata)
    if url is None:
        sys.exit("aiotus gave up")
    print(url)


asyncio.run(main(*sys.argv[1:]))
