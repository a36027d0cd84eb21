"""A component port that does everything wrong: the gateway leaves it, comes back, and stays small."""

import asyncio
import contextlib
import hashlib
import pathlib
import time
from xml.etree import ElementTree

from client import DEADLINE
from component import COMPONENT_SECRET, HASTE, gateway
from issuers import HERE
from servers import free_port

ID = "3BF96D32"
HEADER = ("<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' "
          f"xmlns:stream='http://etherx.jabber.org/streams' from='{HERE}' id='{ID}'>").encode()
MEBIBYTE = 1024 * 1024
# How much larger the gateway may be while it is flooded.
GROWTH = 16 * MEBIBYTE
# A tag is known whole or not at all: up to 2 MiB of attributes are taken apart before it is left.
GROWTH_BY_A_TAG = 32 * MEBIBYTE


class Hostile:
    """The port. It takes one connection at a time, as the test says."""

    def __init__(self):
        self.component, self.gateway = free_port(), free_port()
        self.arrived = asyncio.Queue()

    async def __aenter__(self):
        async def arrive(reader, writer):
            await self.arrived.put((reader, writer))
        self.server = await asyncio.start_server(arrive, "127.0.0.1", self.component)
        return self

    async def __aexit__(self, *_):
        self.server.close()

    async def comes(self):
        """The next connection, with the beginning of its stream read."""
        reader, writer = await asyncio.wait_for(self.arrived.get(), DEADLINE)
        said = await asyncio.wait_for(reader.readuntil(b">"), DEADLINE)
        if said.startswith(b"<?xml"):
            said += await asyncio.wait_for(reader.readuntil(b">"), DEADLINE)
        assert b"jabber:component:accept" in said and f"to='{HERE}'".encode() in said.replace(b'"', b"'")
        return reader, writer

    async def takes_it(self):
        """The next connection, its secret shown and taken."""
        reader, writer = await self.comes()
        writer.write(HEADER)
        proof = await asyncio.wait_for(reader.readuntil(b"</handshake>"), DEADLINE)
        assert hashlib.sha1((ID + COMPONENT_SECRET).encode()).hexdigest().encode() in proof, proof
        writer.write(b"<handshake/>")
        return reader, writer


async def is_left(reader):
    """The gateway ends the connection by itself."""
    with contextlib.suppress(ConnectionError):
        while await asyncio.wait_for(reader.read(65_536), DEADLINE):
            pass


def memory(ours):
    text = pathlib.Path(f"/proc/{ours.process.pid}/status").read_text()
    return int(text.split("VmRSS:")[1].split()[0]) * 1024


def asks(number, size=1, user="alice@example.org/lab"):
    return (f"<iq type='get' id='r{number}' from='{user}' to='{HERE}'><request "
            f"xmlns='urn:xmpp:http:upload:0' filename='f' size='{size}'/></iq>").encode()


async def answered(reader, writer, count, send=b""):
    """Sends, and reads as many answers: how many are slots, and how many are refused, by condition."""
    if send:
        writer.write(send)
    parser, told = ElementTree.XMLPullParser(["end"]), {}
    parser.feed(HEADER.decode())
    while sum(told.values()) < count:
        data = await asyncio.wait_for(reader.read(65_536), DEADLINE)
        assert data, told
        parser.feed(data)
        for _, element in parser.read_events():
            if element.tag.endswith("}iq") and element.get("type") in ("result", "error"):
                error = element.find("{*}error")
                what = "slot" if error is None else error[0].tag.partition("}")[2]
                told[what] = told.get(what, 0) + 1
    return told


BROKEN = {
    "tags that do not match": b"<iq></presence>",
    "a document type": b"<!DOCTYPE a [<!ENTITY b 'b'><!ENTITY c '&b;&b;'>]><message/>",
    "an unknown entity": b"<message><body>&lol;</body></message>",
    "a comment": b"<!-- hello -->",
    "a processing instruction": b"<?php echo 1 ?>",
    "bytes that are no UTF-8": b"<message>\xff\xfe</message>",
    "a NUL": b"<message>\0</message>",
    "an undeclared prefix": b"<a:b/>",
    "the end of the stream": b"</stream:stream>",
    "its own error": (b"<stream:error><system-shutdown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>"
                      b"</stream:error></stream:stream>"),
}


async def broken_xml(_):
    """Every connection on which that comes is left, and made again."""
    async with Hostile() as port:
        with gateway(port, HASTE) as ours:
            for what, sent in BROKEN.items():
                reader, writer = await port.takes_it()
                ours.connected()
                writer.write(sent)
                try:
                    await is_left(reader)
                except TimeoutError:
                    raise AssertionError(f"it stays after {what}") from None
                writer.close()
            reader, writer = await port.takes_it()
            assert await answered(reader, writer, 1, asks(1)) == {"slot": 1}
    return f"{len(BROKEN)} kinds, left and come back each time"


async def broken_connections(_):
    """A server that goes away, or is silent, at any moment."""
    patience = ('connect_timeout = "300ms"\nping_after = "200ms"\nping_timeout = "200ms"\n'
                'write_timeout = "300ms"\n')
    async with Hostile() as port:
        with gateway(port, HASTE + patience) as ours:
            http = b"HTTP/1.1 400 Bad Request\r\n\r\n"
            for say in (b"", http, HEADER[:30], HEADER, HEADER + b"<handsh", HEADER + b"<message/>"):
                for ends in (True, False):
                    reader, writer = await port.comes()
                    writer.write(say)
                    if ends:
                        writer.close()
                    await is_left(reader)
                    writer.close()
            reader, writer = await port.takes_it()
            # From now on it is silent, and does not answer the ping either.
            ping = await asyncio.wait_for(reader.readuntil(b"</iq>"), DEADLINE)
            assert b"urn:xmpp:ping" in ping, ping
            await is_left(reader)
            writer.close()
            # It goes on asking and takes no answers: nothing is piled up for it.
            before = memory(ours)
            reader, writer = await port.takes_it()
            with contextlib.suppress(ConnectionError, TimeoutError):
                for number in range(200_000):
                    writer.write(asks(number, 0))
                    await asyncio.wait_for(writer.drain(), 5)
            writer.transport.abort()
            assert memory(ours) - before < GROWTH, (before, memory(ours))
            reader, writer = await port.takes_it()
            assert await answered(reader, writer, 1, asks(1)) == {"slot": 1}
    return "twelve handshakes cut short, silence, and answers that nobody takes"


async def floods(_):
    """What is too much is skipped as it arrives, and the users get their slots."""
    async with Hostile() as port:
        with gateway(port, HASTE) as ours:
            reader, writer = await port.takes_it()
            assert await answered(reader, writer, 1, asks(0)) == {"slot": 1}
            before = memory(ours)
            await pours(writer, b"<message><body>", b"x" * 65_536, 1024, b"</body></message>")
            await pours(writer, b"<message>", b"<a>" * 10_000, 10, b"</a>" * 100_000 + b"</message>")
            await pours(writer, b"", b"<message><body/></message>" * 1000, 100, b"")
            assert memory(ours) - before < GROWTH, (before, memory(ours))
            many = 3000
            strangers = b"".join(asks(n, 1, "eve@elsewhere.example/x") for n in range(many))
            told = await answered(reader, writer, many, strangers)
            assert told == {"forbidden": many}, told
            began = time.monotonic()
            users = b"".join(asks(n) for n in range(many))
            told = await answered(reader, writer, many, users)
            assert set(told) <= {"slot", "resource-constraint"} and told["slot"] >= 64, told
            took = time.monotonic() - began
            assert memory(ours) - before < GROWTH, (before, memory(ours))
            grown = (memory(ours) - before) / MEBIBYTE
            iq = b"<iq type='get' id='x' from='alice@example.org' to='%s'" % HERE.encode()
            refused = await answered(reader, writer, 1, iq + attributes(20_000) + b"/>")
            assert refused == {"policy-violation": 1}, refused
            assert await answered(reader, writer, 1, asks(1)) == {"slot": 1}
            # A tag that does not end is not waited for.
            with contextlib.suppress(ConnectionError):
                await pours(writer, b"<message", attributes(20_000), 100, b"")
            await is_left(reader)
            assert memory(ours) - before < GROWTH_BY_A_TAG, (before, memory(ours))
            reader, writer = await port.takes_it()
            assert await answered(reader, writer, 1, asks(1)) == {"slot": 1}
    slots = told["slot"]
    return f"of {many} requests at once {slots} got slots in {took:.1f} s, memory grew {grown:.1f} MiB"


def attributes(count):
    return b"".join(b" a%d='b'" % number for number in range(count))


async def pours(writer, head, part, times, tail):
    writer.write(head)
    for _ in range(times):
        writer.write(part)
        await asyncio.wait_for(writer.drain(), DEADLINE)
    writer.write(tail)
    await asyncio.wait_for(writer.drain(), DEADLINE)


LEGS = [(f"a hostile server: {leg.__name__.replace('_', ' ')}", None, None, leg)
        for leg in (broken_xml, broken_connections, floods)]
