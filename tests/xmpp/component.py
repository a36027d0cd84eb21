"""The gateway hands out slots itself: what it says, whom it refuses, and how it stays connected."""

import asyncio
import contextlib
import copy
import datetime
import time
from xml.etree import ElementTree

from client import DEADLINE, PURPOSE, UPLOAD, Client, Refused
from gateway import Gateway
from issuers import HERE, ISSUED, MAX, OCTETS, User, claims
from matrix import refusal
from servers import free_port

COMPONENT_SECRET = "change-this-component-secret"
SETTINGS = "tidegate-component.toml"
# Waits are shortened where a test would wait for them.
REAPED = dict(TIDEGATE__STORAGE__REAP_INTERVAL="1s")
HASTE = 'reconnect_first = "50ms"\nreconnect_longest = "500ms"\n'


def gateway(server, table="", tenant="", changes=None, **environment):
    """A gateway with these lines more in its settings."""
    more = {"[xep0363.tenants.component]\n": f"{tenant}\n[xep0363.tenants.component]\n{table}"}
    return Gateway(SETTINGS, server, more | (changes or {}), **environment)


def alice_at(server):
    return Client("alice@example.org/lab", server)


async def talks(server):
    """What clients are told about the service, and every refusal but quotas."""
    with gateway(server) as ours:
        ours.connected()
        async with alice_at(server) as alice:
            await check_disco(alice)
            await check_purposes(alice)
            await check_refusals(alice)
            # A stranger's huge message does not cut the users off.
            alice.send_message(mto=HERE, mbody="x" * 200_000)
            await alice.slot(HERE, "after.txt", 1)
    return "disco, purposes, refusals, a huge message"


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


async def check_purposes(alice):
    end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
    stamp = {"expire-before": end.strftime("%Y-%m-%dT%H:%M:%SZ")}
    slot = await alice.slot(HERE, "gone.txt", 7, "a/b", "ephemeral", **stamp)
    assert claims(slot)["expires"] == int(end.timestamp()), claims(slot)
    slot = await alice.slot(HERE, "a.txt", 7, "a/b", "message")
    assert claims(slot).get("expires") is None and list(slot.headers) == ["Authorization"]


async def check_refusals(alice):
    for size in (0, -1, "1.5", "", "x", 2**63, 2**64):
        refused = await refusal(alice.slot(HERE, "x", size))
        assert (refused.kind, refused.condition) == ("modify", "bad-request"), (size, refused)
    for name in ("", "..", "a/b"):
        assert (await refusal(alice.slot(HERE, name, 1))).condition == "bad-request", name
    for purpose, condition in [("permanent", "feature-not-implemented"), ("ephemeral", "bad-request")]:
        assert (await refusal(alice.slot(HERE, "x", 1, None, purpose))).condition == condition
    unknown = ElementTree.Element("{jabber:iq:version}query")
    assert (await refusal(alice.ask(HERE, unknown))).condition == "service-unavailable"
    await alice.plugin["xep_0199"].ping(HERE, timeout=DEADLINE)


async def a_full_quota_refuses_until_files_expire(server):
    """`resource-constraint` with the moment at which there is room again."""
    quota = 'retention = "1h"\nquota = { total = "1000B", when_full = "refuse" }\n'
    began = datetime.datetime.now(datetime.timezone.utc)
    with gateway(server, tenant=quota) as ours:
        ours.connected()
        async with alice_at(server) as alice:
            user = User(ISSUED[0], alice, ours)
            await user.given("first.bin", b"1" * 600, OCTETS)
            wait = await refusal(user.slot("second.bin", 500))
            assert (wait.kind, wait.condition) == ("wait", "resource-constraint"), wait
            stamp = wait.xml.find(f".//{{{UPLOAD}}}retry").get("stamp")
            retry = datetime.datetime.strptime(stamp, "%Y-%m-%dT%H:%M:%SZ")
            after = (retry.replace(tzinfo=datetime.timezone.utc) - began).total_seconds()
            assert 3500 < after < 3700, stamp
            # What fits is taken, and a slot that is not used yet counts.
            await user.slot("third.bin", 400)
            assert (await refusal(user.slot("fourth.bin", 1))).condition == "resource-constraint"
    return f"retry {after:.0f} s from now"


async def a_full_quota_makes_room_by_deleting_the_oldest(server):
    quota = 'quota = { total = "1000B", when_full = "delete_oldest" }\n'
    with gateway(server, tenant=quota) as ours:
        ours.connected()
        async with alice_at(server) as alice:
            await oldest_goes(User(ISSUED[0], alice, ours))
    return "the oldest went, the newest are there"


async def oldest_goes(user):
    slots = [await user.given(name, name.encode() * 400, OCTETS) for name in "abc"]
    user.has_nothing(slots[0])
    user.has(slots[1], b"b" * 400)
    user.has(slots[2], b"c" * 400)
    # More than all of it together is refused, and nobody loses anything for that.
    wait = await refusal(user.slot("d", 1001))
    assert wait.condition in ("resource-constraint", "not-acceptable"), wait
    user.has(slots[1], b"b" * 400)


async def a_slot_that_nobody_uses_gives_its_room_back(server):
    brief = 'slot_lifetime = "2s"\nquota = { total = "1000B" }\n'
    with gateway(server, tenant=brief, **REAPED) as ours:
        ours.connected()
        async with alice_at(server) as alice:
            user = User(ISSUED[0], alice, ours)
            unused = await user.slot("unused.bin", 900, OCTETS)
            assert (await refusal(user.slot("used.bin", 900))).condition == "resource-constraint"
            last = time.monotonic() + DEADLINE
            while True:
                with contextlib.suppress(Refused):
                    await user.slot("used.bin", 900)
                    break
                assert time.monotonic() < last, ours.sessions()
                await asyncio.sleep(0.05)
            assert user.put(unused, b"x" * 900, OCTETS)[0] == 410
    return "refused while it was open, and gone after its lifetime"


async def an_ephemeral_file_is_gone_at_its_moment(server):
    with gateway(server, **REAPED) as ours:
        ours.connected()
        async with alice_at(server) as alice:
            user = User(ISSUED[0], alice, ours)
            end = int(time.time()) + 4
            stamp = datetime.datetime.fromtimestamp(end, datetime.timezone.utc)
            stamp = {"expire-before": stamp.strftime("%Y-%m-%dT%H:%M:%SZ")}
            slot = await alice.slot(HERE, "gone.txt", 5, OCTETS, "ephemeral", **stamp)
            assert user.put(slot, b"hello", OCTETS)[0] == 201
            user.has(slot, b"hello")
            asked = time.time()
            while user.fetched(slot)[0] == 200:
                assert asked < end, f"it is served {asked - end:.2f} s after its end"
                await asyncio.sleep(0.05)
                asked = time.time()
            user.has_nothing(slot)
            assert abs(asked - end) < 2, asked - end
            assert user.put(slot, b"hello", OCTETS)[0] == 410
    return f"fetched until then, refused {asked - end:+.2f} s from its moment"


async def comes_back(server):
    """The server stops and starts again; the component is there again by itself, the files all the time."""
    with gateway(server, HASTE) as ours:
        ours.connected()
        async with alice_at(server) as alice:
            user = User(ISSUED[0], alice, ours)
            before = await user.slot("before.txt", 5, OCTETS)
        server.stop()
        ours.connected(False)
        assert user.put(before, b"hello", OCTETS)[0] == 201
        user.has(before, b"hello")
        server.start()
        started = time.monotonic()
        ours.connected()
        took = time.monotonic() - started
        async with alice_at(server) as alice:
            await alice.slot(HERE, "again.txt", 1)
    return f"back {took:.2f} s after the server listens"


async def wrong_secret(server):
    """A wrong secret is told by its name, to the operator too."""
    with gateway(server, HASTE, changes={COMPONENT_SECRET: "wrong"}) as ours:
        ours.complains("not-authorized")
        assert not ours.looked_at()[0]["connected"]
    return "not-authorized is what the operator sees"


async def second_connection(server):
    """A second connection is possible: the first one may have broken without a word."""
    patient = 'reconnect_first = "100s"\nreconnect_longest = "100s"\n'
    with gateway(server, patient) as old:
        old.connected()
        beside = copy.copy(server)
        beside.gateway = free_port()
        with gateway(beside) as new:
            new.connected()
            if server.kind == "ejabberd":
                # It keeps both, and asks one or the other.
                return "taken beside the first"
            old.connected(False)
            async with alice_at(server) as alice:
                user = User(ISSUED[0], alice, new)
                user.has(await user.given("second.txt", b"x"), b"x")
    return "taken, the first one is gone"


async def stays(server):
    """The server routes our ping to ourselves back to us, so that silence means something."""
    with gateway(server, 'ping_after = "100ms"\nping_timeout = "2s"\n') as ours:
        ours.connected()
        with contextlib.suppress(asyncio.TimeoutError):
            async with asyncio.timeout(1.5):
                while ours.looked_at()[0]["connected"]:
                    await asyncio.sleep(0.02)
                raise AssertionError(ours.looked_at())
    return "more than ten pings answered"


async def service_url(server):
    """ejabberd asks: the refusals of ours become errors that clients understand."""
    quota = {'max_size = "1MB"': 'max_size = "1MB"\nquota = { total = "1000B" }'}
    with Gateway("tidegate-service-url.toml", server, quota) as ours:
        async with alice_at(server) as alice:
            user = User(ISSUED[2], alice, ours)
            await user.given("first.bin", b"1" * 600, OCTETS)
            full = await refusal(user.slot("second.bin", 500))
            assert (full.kind, full.condition) == ("wait", "resource-constraint"), full
            over = await refusal(user.slot("over.bin", MAX + 1))
            assert (over.kind, over.condition) == ("modify", "not-acceptable"), over
        path = "/slots/change-this-path"
        for query, status in [("jid=a%40example.org&name=x&size=1", 200), ("", 400),
                              ("jid=a%40example.org&name=x&size=-1", 400),
                              ("jid=alice%40example.org&name=x&size=500", 402),
                              ("jid=alice%40example.org&name=x&size=1001", 413),
                              (f"jid=a%40example.org&name=x&size={MAX + 1}", 413)]:
            told = ours.ask("GET", f"{path}?{query}")
            assert told[0] == status, (query, told[0], told[2])
        assert ours.ask("POST", f"{path}?jid=a%40example.org&name=x&size=1", b"")[0] == 405
        assert ours.ask("GET", "/slots/?jid=a%40example.org&name=x&size=1")[0] == 404
        assert ours.ask("GET", f"{path}?jid=a%40example.org&name=x&size=1",
                        X_Forwarded_For="192.0.2.1")[0] == 200
    delete = {'max_size = "1MB"': 'quota = { total = "1000B", when_full = "delete_oldest" }'}
    with Gateway("tidegate-service-url.toml", server, delete) as ours:
        async with alice_at(server) as alice:
            await oldest_goes(User(ISSUED[2], alice, ours))
    # Without a gateway nobody waits for long.
    async with alice_at(server) as alice:
        with contextlib.suppress(Refused):
            await alice.slot(HERE, "nobody.bin", 1)
            raise AssertionError("a slot of nobody")
    return "refusals, quotas, and no gateway at all"


EACH = [talks, a_full_quota_refuses_until_files_expire,
        a_full_quota_makes_room_by_deleting_the_oldest, a_slot_that_nobody_uses_gives_its_room_back,
        an_ephemeral_file_is_gone_at_its_moment, comes_back, wrong_secret, second_connection, stays]
LEGS = [(f"{kind} component: {leg.__name__.replace('_', ' ')}", kind, file, leg)
        for kind, file in [("prosody", "prosody-component.cfg.lua"),
                           ("ejabberd", "ejabberd-component.yml")] for leg in EACH]
LEGS.append(("ejabberd service_url: refusals", "ejabberd", "ejabberd-service-url.yml", service_url))
