"""The external component (XEP-0114): slots that the gateway hands out itself."""

import asyncio
import contextlib
import datetime
import json
import os
import time
from xml.etree import ElementTree

from client import DEADLINE, PURPOSE, UPLOAD, Client
from issuers import HERE, MAX, check_slot
from matrix import TYPES, refusal

COMPONENT_SECRET = "change-this-component-secret"
NAMES = [
    "hello.txt", "très cool.jpg", "a+b&c=d?e#f%20g.bin", "日本語.txt", "имя файла.tar.gz",
    "?#[]{}^\"<>\\`|.bin", "x" * 200 + ".png",
]


class Component:
    """The component in a process of its own."""

    def __init__(self, server, **changes):
        self.settings = dict(
            server=f"127.0.0.1:{server.component}", secret=COMPONENT_SECRET, domain=HERE,
            users="example.org", max_size=MAX, silence=60_000, pong=5_000, first_wait=50,
            longest_wait=500) | changes

    async def __aenter__(self):
        pipe = asyncio.subprocess.PIPE
        self.process = await asyncio.create_subprocess_exec(
            os.environ["XMPP_SLOTS"], "component", stdin=pipe, stdout=pipe)
        self.process.stdin.write(json.dumps(self.settings).encode() + b"\n")
        return self

    async def __aexit__(self, *_):
        self.process.stdin.close()
        await asyncio.wait_for(self.process.wait(), DEADLINE)

    async def says(self, *words):
        """Waits until it says something with one of these words in it."""
        while True:
            line = await asyncio.wait_for(self.process.stdout.readline(), DEADLINE)
            assert line, "the component ended"
            if any(word in line.decode() for word in words):
                return line.decode().strip()


async def check_disco(alice):
    items = await alice.plugin["xep_0030"].get_items("example.org")
    assert HERE in [item[0] for item in items["disco_items"]["items"]]
    found = await alice.plugin["xep_0363"].find_upload_service()
    assert found["from"] == HERE
    info = (await alice.plugin["xep_0030"].get_info(HERE))["disco_info"]
    assert ("store", "file") in [identity[:2] for identity in info["identities"]]
    features = info["features"]
    assert {UPLOAD, PURPOSE + "#message", PURPOSE + "#ephemeral"} <= set(features), features
    assert PURPOSE + "#permanent" not in features
    fields = info.xml.findall(".//{jabber:x:data}field[@var='max-file-size']/*")
    assert [field.text for field in fields] == [str(MAX)]


async def check_slots(alice):
    for name in NAMES:
        for media_type in TYPES:
            slot = await alice.slot(HERE, name, 11, media_type)
            taken = check_slot(slot, "own", "the gateway's own key", name, 11, media_type)
            assert taken["owner"] == "alice@example.org" and slot.get == slot.put
            assert list(slot.headers) == ["Authorization"]
    await alice.slot(HERE, "exactly.bin", MAX)
    end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
    stamp = {"expire-before": end.strftime("%Y-%m-%dT%H:%M:%SZ")}
    slot = await alice.slot(HERE, "gone.txt", 7, "a/b", "ephemeral", **stamp)
    taken = check_slot(slot, "own", "the gateway's own key", "gone.txt", 7, "a/b")
    assert taken["file_expires"] == int(end.timestamp()), taken


async def trap_7_users_of_other_servers_get_no_slot(eve):
    """The server brings their requests to the component like any other."""
    for purpose in (None, "ephemeral"):
        stranger = await refusal(eve.slot(HERE, "x", 1, None, purpose))
        assert (stranger.kind, stranger.condition) == ("auth", "forbidden"), purpose


async def check_refusals(alice):
    over = await refusal(alice.slot(HERE, "x", MAX + 1))
    assert (over.kind, over.condition) == ("modify", "not-acceptable")
    said = over.xml.find(f".//{{{UPLOAD}}}file-too-large/{{{UPLOAD}}}max-file-size")
    assert said.text == str(MAX)
    for size in (0, -1, "1.5", "", "x", 2**63, 2**64):
        refused = await refusal(alice.slot(HERE, "x", size))
        assert (refused.kind, refused.condition) == ("modify", "bad-request"), (size, refused)
    for name in ("", "..", "a/b"):
        assert (await refusal(alice.slot(HERE, name, 1))).condition == "bad-request", name
    wait = await refusal(alice.slot(HERE, "quota", 1))
    assert (wait.kind, wait.condition) == ("wait", "resource-constraint")
    stamp = wait.xml.find(f".//{{{UPLOAD}}}retry").get("stamp")
    assert datetime.datetime.strptime(stamp, "%Y-%m-%dT%H:%M:%SZ")
    for purpose, condition in [("permanent", "feature-not-implemented"), ("ephemeral", "bad-request")]:
        assert (await refusal(alice.slot(HERE, "x", 1, None, purpose))).condition == condition
    unknown = ElementTree.Element("{jabber:iq:version}query")
    assert (await refusal(alice.ask(HERE, unknown))).condition == "service-unavailable"
    await alice.plugin["xep_0199"].ping(HERE, timeout=DEADLINE)


async def component(server):
    """The gateway answers slot requests itself."""
    async with Component(server) as ours, Client("alice@example.org/lab", server) as alice:
        await ours.says("Ready")
        async with Client("eve@elsewhere.example/lab", server) as eve:
            await check_disco(alice)
            await check_slots(alice)
            await check_refusals(alice)
            await trap_7_users_of_other_servers_get_no_slot(eve)
        # A stranger's huge message does not cut the users off.
        alice.send_message(mto=HERE, mbody="x" * 200_000)
        await alice.slot(HERE, "after.txt", 1)
    return f"{len(NAMES) * len(TYPES)} slots, every refusal"


async def comes_back(server):
    """The server stops and starts again; the component is there again by itself."""
    async with Component(server) as ours:
        await ours.says("Ready")
        server.stop()
        await ours.says("Waiting")
        server.start()
        started = time.monotonic()
        await ours.says("Ready")
        async with Client("alice@example.org/lab", server) as alice:
            await alice.slot(HERE, "again.txt", 1)
    return f"back {time.monotonic() - started:.2f} s after the server listens, client included"


async def wrong_secret(server):
    """A wrong secret is told by its name."""
    async with Component(server, secret="wrong") as ours:
        return await ours.says("not-authorized")


async def second_connection(server):
    """A second connection is possible: the first one may have broken without a word."""
    async with Component(server, first_wait=100_000, longest_wait=100_000) as old:
        await old.says("Ready")
        async with Component(server) as new:
            await new.says("Ready")
            async with Client("alice@example.org/lab", server) as alice:
                await alice.slot(HERE, "second.txt", 1)
    return "taken"


async def stays(server):
    """The server routes our ping to ourselves back to us, so that silence means something."""
    async with Component(server, silence=100, pong=2_000) as ours:
        await ours.says("Ready")
        with contextlib.suppress(asyncio.TimeoutError):
            said = await asyncio.wait_for(ours.says("Waiting"), 1.5)
            raise AssertionError(said)
    return "more than ten pings answered"


LEGS = [component, comes_back, wrong_secret, second_connection, stays]
