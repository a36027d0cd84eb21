"""Every way in which an XMPP server hands out slots, tried with the server itself.

lab.py [WORD ..]: only the trials whose names hold one of the words.
"""

import asyncio
import contextlib
import datetime
import hashlib
import json
import os
import subprocess
import sys
import time
from urllib.parse import quote, unquote, urlsplit
from xml.etree import ElementTree

from client import DEADLINE, UPLOAD, PURPOSE, Client, Refused
from gateway import Gateway
from servers import Server

HERE = "upload.example.org"
MAX = 1_000_000
UPLOAD_SECRET = "change-this-upload-secret"
COMPONENT_SECRET = "change-this-component-secret"
NAMES = [
    "hello.txt", "très cool.jpg", "a+b&c=d?e#f%20g.bin", "日本語.txt", "имя файла.tar.gz",
    "?#[]{}^\"<>\\`|.bin", "x" * 200 + ".png",
]
TYPES = ["text/plain", "text/plain; charset=utf-8", "image/jpeg", None]


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


def variants(target):
    """The target as different clients escape it."""
    path, _, query = target.partition("?")
    tail = "?" + query if query else ""
    decoded = unquote(path)
    yield target
    yield quote(decoded, safe="/") + tail
    yield quote(decoded, safe="/!$&'()*+,;=:@") + tail
    escaped = quote(decoded, safe="/")
    lower = [part[:2].lower() + part[2:] for part in escaped.split("%")[1:]]
    yield "%".join([escaped.split("%")[0], *lower]) + tail


def judged(lines):
    """What the gateway makes of tokens."""
    text = "".join(json.dumps(line) + "\n" for line in lines)
    ran = subprocess.run([os.environ["XMPP_SLOTS"], "verify"], input=text, check=True,
                         capture_output=True, text=True, timeout=DEADLINE)
    return [json.loads(line) for line in ran.stdout.splitlines()]


def check_slot(slot, scheme, secret, name, size, media_type):
    """The slot is taken however its path is escaped, and with nothing changed about it."""
    url = urlsplit(slot.put)
    assert (url.scheme, url.netloc) == ("https", HERE), slot.put
    target = url.path + ("?" + url.query if url.query else "")
    said = media_type or "application/octet-stream"
    line = dict(scheme=scheme, secret=secret, target=target, length=size, type=said,
                authorization=slot.headers.get("Authorization"))
    good = [line | dict(target=target) for target in variants(target)]
    bad = [
        line | dict(length=size + 1), line | dict(length=None), line | dict(secret="another"),
        line | dict(target=target.replace("/upload/", "/upload/x", 1)),
    ]
    answers = judged(good + bad)
    for answer in answers[:len(good)]:
        assert answer.get("length") == size and answer["type"] == said, (slot, answer)
        assert answer["path"] == unquote(urlsplit(slot.get).path).removeprefix("/upload/"), answer
        if scheme != "ejabberd":
            assert answer["name"] == name, answer
    for line, answer in zip(bad, answers[len(good):]):
        assert "error" in answer, (line, answer)
    return answers[0]


def upload(gateway, slot, size, media_type):
    """The gateway takes the file for the slot as a client sends it, once, and gives it back."""
    content = os.urandom(size)
    url = urlsplit(slot.put)
    put = list(variants(url.path + ("?" + url.query if url.query else "")))[1]
    get = list(variants(urlsplit(slot.get).path))[1:]
    fields = dict(Content_Type=media_type, Authorization=slot.headers.get("Authorization"))
    assert gateway.ask("GET", get[0])[0] == 404
    refused = gateway.ask("PUT", put, content + b"x", **fields)[0]
    assert refused in (403, 413), refused
    half = size // 2
    if half:
        # A client that was cut after the first half.
        part = f"bytes 0-{half - 1}/{size}"
        status, told, _ = gateway.ask("PUT", put, content[:half], Content_Range=part, **fields)
        assert (status, told["Upload-Offset"]) == (204, str(half)), (status, told)
        assert gateway.ask("GET", get[0])[0] == 404
    status, _, body = gateway.ask("PUT", put, content, **fields)
    assert (status, body) == (201, b""), (slot, status, body)
    for path in get:
        status, told, body = gateway.ask("GET", path)
        assert (status, body == content) == (200, True), (slot, status)
        assert told["Content-Length"] == str(size), told
    status, told, _ = gateway.ask("HEAD", get[0])
    assert (status, told["Content-Length"]) == (200, str(size)), (status, told)
    assert gateway.ask("PUT", put, content, **fields)[0] == 409


def survive(gateway, slot, media_type):
    """A gateway that is killed in the middle of a file keeps what it said it has; tus ends it."""
    content = os.urandom(MAX)
    url = urlsplit(slot.put)
    put = url.path + ("?" + url.query if url.query else "")
    token = dict(Authorization=slot.headers.get("Authorization"))
    tus = dict(Tus_Resumable="1.0.0", **token)
    half = MAX // 2
    cut = gateway.begin(put, content[:half], MAX, Content_Type=media_type, **token)
    last, offset = time.monotonic() + DEADLINE, 0
    while offset == 0:
        # Before the gateway has seen the slot, nobody has a right to ask for it.
        status, told, _ = gateway.ask("HEAD", put, **tus)
        assert status in (200, 403, 404) and time.monotonic() < last, status
        offset = int(told.get("Upload-Offset", 0))
    gateway.dies()
    cut.close()
    status, told, _ = gateway.ask("HEAD", put, **tus)
    kept = int(told["Upload-Offset"])
    assert status == 200 and offset <= kept <= half, (status, offset, kept)
    get = urlsplit(slot.get).path
    assert gateway.ask("GET", get)[0] == 404
    status, _, _ = gateway.ask("PATCH", put, content[kept:], Upload_Offset=str(kept),
                               Content_Type="application/offset+octet-stream", **tus)
    assert status == 204, status
    status, _, body = gateway.ask("GET", get)
    assert (status, body == content) == (200, True), status


async def refusal(waiting):
    try:
        await waiting
    except Refused as refused:
        return refused
    raise AssertionError("it was not refused")


async def signed(server, scheme, owner):
    """The server signs: what it hands out is taken by the gateway, and nothing else is."""
    tenant = {"file_share": "http_file_share"}.get(scheme, scheme)
    with Gateway(tenant, UPLOAD_SECRET) as gateway:
        count = await put_all(server, gateway, scheme, owner)
    return f"{count} slots, each put in two goes and fetched; one outlived a kill"


async def put_all(server, gateway, scheme, owner):
    count = 0
    async with Client("alice@example.org/lab", server) as alice:
        for name in NAMES:
            for media_type in TYPES:
                size = MAX if count == 0 else count
                slot = await alice.slot(HERE, name, size, media_type)
                taken = check_slot(slot, scheme, UPLOAD_SECRET, name, size, media_type)
                assert taken["owner"] == owner, taken
                upload(gateway, slot, size, media_type)
                count += 1
        survive(gateway, await alice.slot(HERE, "killed.bin", MAX, "a/b"), "a/b")
    return count


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


async def check_refusals(alice, eve):
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
    stranger = await refusal(eve.slot(HERE, "x", 1))
    assert (stranger.kind, stranger.condition) == ("auth", "forbidden")
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
            await check_refusals(alice, eve)
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


ALICE_SHA1 = hashlib.sha1(b"alice@example.org").hexdigest()
TRIALS = [
    ("prosody http_upload_external", "prosody", "prosody-http-upload-external.cfg.lua",
     lambda server: signed(server, "prosody", None)),
    ("prosody http_file_share", "prosody", "prosody-http-file-share.cfg.lua",
     lambda server: signed(server, "file_share", "alice@example.org")),
    ("ejabberd external_secret", "ejabberd", "ejabberd-external-secret.yml",
     lambda server: signed(server, "ejabberd", ALICE_SHA1)),
]
for kind, file in [("prosody", "prosody-component.cfg.lua"), ("ejabberd", "ejabberd-component.yml")]:
    for trial in (component, comes_back, wrong_secret, second_connection, stays):
        TRIALS.append((f"{kind} {trial.__name__}", kind, file, trial))


def main(words):
    failed = 0
    for name, kind, file, trial in TRIALS:
        if words and not any(word in name for word in words):
            continue
        began = time.monotonic()
        try:
            with Server(kind, file) as server:
                try:
                    told = asyncio.run(trial(server))
                except BaseException:
                    print(server.said())
                    raise
            print(f"ok    {name}: {told} ({time.monotonic() - began:.1f} s)", flush=True)
        except (Exception, asyncio.CancelledError) as error:
            failed += 1
            print(f"FAIL  {name}: {type(error).__name__} {error}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
