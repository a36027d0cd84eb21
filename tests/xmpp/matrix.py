"""What every way of signing has to hold: a slot of the real server, a PUT into the real gateway.

A case is a function whose name says what is false when it fails. A case that is about something that
the issuer does not have says so with `DoesNotApply`.
"""

import asyncio
import os
import time
from xml.etree import ElementTree

from client import UPLOAD, Client, Refused, Silent
from issuers import HERE, MAX, OCTETS, check_slot, claims, get_target, put_target, variants

TYPES = ["text/plain", "text/plain; charset=utf-8", "image/jpeg", None]
# Above its limit, Prosody's http_upload_external says nothing at all; nobody waits longer for that.
SILENCE = 1


class DoesNotApply(Exception):
    """The issuer has nothing that this case is about."""


async def all_types(user, names):
    for size, name in enumerate(names, 3):
        for media_type in TYPES:
            slot = await user.slot(name, size, media_type)
            check_slot(user.issuer, slot, name, size, media_type)
            content = os.urandom(size)
            assert user.put(slot, content, media_type)[0] == 201
            user.has(slot, content)


def named_so(*names):
    async def case(user):
        await all_types(user, names)
    return case


names_in_ascii = named_so("hello.txt", "x" * 200 + ".png")
names_with_blanks_and_in_any_script = named_so(
    "très cool.jpg", "日本語.txt", "имя файла.tar.gz", "ملف نصي.txt", "🎉.webp")
names_of_reserved_characters = named_so(
    "a+b&c=d?e#f%20g.bin", "?#[]{}^\"<>\\`|.bin", "~()!*';:@$,=+.bin", "100%.bin")


async def no_media_type_is_octet_stream(user):
    content = os.urandom(7)
    slot = await user.given("a.txt", content)
    user.has(slot, content)
    assert user.fetched(slot)[1]["Content-Type"] == OCTETS
    # A client that writes down what nobody said is right as well.
    slot = await user.slot("a.txt", 7)
    assert user.put(slot, content, OCTETS)[0] == 201


async def an_empty_file(user):
    if user.issuer.kind == "ejabberd" or user.issuer.issues:
        refused = await refusal(user.slot("empty", 0))
        assert refused.condition == "bad-request", refused
        raise DoesNotApply
    slot = await user.given("empty", b"")
    user.has(slot, b"")
    assert user.put(slot, b"")[0] == 409


async def exactly_the_maximum(user):
    content = os.urandom(MAX)
    user.has(await user.given("max.bin", content), content)


async def one_byte_more_gets_no_slot(user):
    if user.issuer.scheme == "prosody":
        try:
            await user.client.slot(HERE, "over.bin", MAX + 1, patience=SILENCE)
        except Silent:
            # And it goes on answering.
            await user.slot("after.bin", 1)
            return
        raise AssertionError("Prosody answers: its bug is gone, and this case with it")
    refused = await refusal(user.slot("over.bin", MAX + 1))
    assert (refused.kind, refused.condition) == ("modify", "not-acceptable"), refused
    limit = refused.xml.find(f".//{{{UPLOAD}}}file-too-large/{{{UPLOAD}}}max-file-size")
    if user.issuer.token == "path":
        # ejabberd has nothing to say but what our status means to it.
        assert limit is None
        return
    assert limit.text == str(MAX), ElementTree.tostring(refused.xml)


async def one_byte_more_is_refused_though_signed(user):
    slot = await user.slot("over.bin", MAX, OCTETS)
    content = os.urandom(MAX + 1)
    target, fields = user.issuer.signed(slot, MAX + 1, OCTETS)
    status, _, said = user.put(slot, content, OCTETS, target, **fields)
    assert (status, b"too-large" in said) == (413, True), (status, said)
    user.has_nothing(slot)
    # The same signature for what is allowed is taken: it is the size that was wrong.
    target, fields = user.issuer.signed(slot, MAX, OCTETS)
    assert user.put(slot, content[:MAX], OCTETS, target, **fields)[0] == 201


async def another_length_is_refused(user):
    slot = await user.slot("a.bin", 9, OCTETS)
    for size in (0, 8, 10, 1000):
        status = user.put(slot, os.urandom(size), OCTETS)[0]
        assert status in (403, 413), (size, status)
    user.has_nothing(slot)
    # A failed PUT does not spoil the slot.
    content = os.urandom(9)
    assert user.put(slot, content, OCTETS)[0] == 201
    user.has(slot, content)


async def a_body_without_a_length_is_refused(user):
    slot = await user.slot("a.bin", 9, OCTETS)
    assert user.put(slot, iter([b"123456789"]), OCTETS)[0] == 411
    user.has_nothing(slot)


async def a_second_put_is_refused(user):
    content = os.urandom(9)
    slot = await user.given("a.bin", content, OCTETS)
    for again in (content, os.urandom(9)):
        for target in variants(put_target(slot)):
            assert user.put(slot, again, OCTETS, target)[0] == 409
    user.has(slot, content)


async def another_media_type_is_refused_if_it_is_signed(user):
    slot = await user.slot("a.png", 9, "image/png")
    content = os.urandom(9)
    for media_type in ("text/html", None):
        status = user.put(slot, content, media_type)[0]
        if not user.issuer.signs_type:
            assert status == 201, status
            break
        assert status == 403, status
        user.has_nothing(slot)
    if user.issuer.token != "query":
        # The type is the token's, whatever the client says.
        assert user.fetched(slot)[1]["Content-Type"] == "image/png"


async def a_forged_token_is_refused(user):
    slot, other = await user.slot("a.bin", 9, OCTETS), await user.slot("b.bin", 9, OCTETS)
    content = os.urandom(9)
    for target, fields in user.issuer.forged(slot, other):
        status, _, said = user.put(slot, content, OCTETS, target, **fields)
        assert status in (401, 403), (target, fields, status, said)
    user.has_nothing(slot)
    assert user.put(slot, content, OCTETS)[0] == 201


async def a_token_of_yesterday_is_refused(user):
    if user.issuer.token == "query":
        raise DoesNotApply
    slot = await user.slot("late.bin", 9, OCTETS)
    said, now = claims(slot), int(time.time())
    assert said["exp"] - said["iat"] in (300, 600) and abs(said["iat"] - now) < 60, said
    content = os.urandom(9)
    target, fields = user.issuer.signed(slot, 9, OCTETS, iat=now - 301, exp=now - 1)
    status, _, told = user.put(slot, content, OCTETS, target, **fields)
    assert (status, b"slot-expired" in told) == (410, True), (status, told)
    user.has_nothing(slot)
    # Until then the same token is taken.
    target, fields = user.issuer.signed(slot, 9, OCTETS, iat=now, exp=now + 60)
    assert user.put(slot, content, OCTETS, target, **fields)[0] == 201


async def trap_1_clients_rewrite_the_escapes_of_a_path(user):
    """Signatures are about the decoded path, and a plus is a plus."""
    name = "a+b &=è%2b.bin"
    slots = [await user.slot(name, 3, OCTETS) for _ in range(4)]
    for slot, index in zip(slots, range(4)):
        target = list(variants(put_target(slot)))[index]
        assert user.put(slot, b"abc", OCTETS, target)[0] == 201, target
        for path in variants(get_target(slot)):
            assert user.gateway.ask("GET", path)[::2] == (200, b"abc"), path
    escaped = put_target(slots[0]).partition("?")[0]
    if user.issuer.keeps_names:
        # Prosody writes lower-case hexadecimal digits in one module, and upper-case in the other.
        assert ("%c3%a8" if user.issuer.scheme == "prosody" else "%C3%A8") in escaped, escaped


async def trap_2_the_media_type_is_that_of_the_request(user):
    """Others guess it from the ending, and refuse every text file."""
    for name, media_type in [("notes.txt", "text/plain"), ("a.txt", OCTETS), ("page.html", "a/b"),
                             ("noending", "text/plain; charset=utf-8"), ("x.js", None)]:
        content = os.urandom(5)
        slot = await user.given(name, content, media_type)
        user.has(slot, content)
        said = user.fetched(slot)[1]["Content-Type"]
        assert said.split(";")[0] == (media_type or OCTETS).split(";")[0], (name, said)


async def trap_3_a_negative_size_allows_nothing(user):
    """Prosody signs it; with a chunked body it would be an upload without a bound."""
    if user.issuer.scheme != "prosody":
        refused = await refusal(user.slot("neg.txt", -1, OCTETS))
        assert refused.condition == "bad-request", refused
        # What the server does not hand out, whoever has the secret can still sign.
        slot = await user.slot("neg.txt", 1, OCTETS)
        target, fields = user.issuer.signed(slot, -1, OCTETS)
    else:
        slot, fields = await user.slot("neg.txt", -1, OCTETS), {}
        target = put_target(slot)
    status = user.put(slot, iter([b"x" * 1000]), OCTETS, target, **fields)[0]
    assert status == 411, status
    for size in (0, 1, 1000):
        assert user.put(slot, os.urandom(size), OCTETS, target, **fields)[0] == 403, size
    raw = user.gateway.begin(target, b"", -1, Content_Type=OCTETS, **slot.headers | fields)
    assert raw.getresponse().status == 400
    raw.close()
    user.has_nothing(slot)


async def trap_4_success_is_201_with_an_empty_body(user):
    """Conversations and Converse know 200 and 201 only."""
    for size in (1, 70_000):
        slot = await user.slot("a.bin", size, OCTETS)
        status, told, body = user.put(slot, os.urandom(size), OCTETS)
        assert (status, body, told["Content-Length"]) == (201, b"", "0"), (status, body)


async def trap_5_addresses_survive_being_escaped_once_more(user):
    """ejabberd up to 25.07 escapes what `service_url` answers: nothing in it may need that."""
    if user.issuer.token != "path":
        raise DoesNotApply
    for name in ("très cool & so=on?.jpg", "%25.bin", "a+b.txt", "日本語.txt", "x" * 300 + ".png"):
        slot = await user.given(name, b"hello", "text/plain")
        for address in (slot.put, slot.get):
            assert address.isascii() and not set(address) & set("%?&=+ "), address
        assert slot.get.endswith(name[-4:]), slot
        user.has(slot, b"hello")
        # What was put is not put through the address that everybody gets.
        assert user.gateway.ask("PUT", get_target(slot), b"other")[0] in (401, 403)
        shown = user.fetched(slot)[1]["Content-Disposition"]
        assert shown.startswith("inline; filename="), shown


async def trap_6_a_deleted_file_is_not_brought_back_by_its_token(user):
    """Tokens in URLs never end: without a memory, whoever has one can store something again."""
    before = {session["id"] for session in user.gateway.sessions()}
    content = os.urandom(9)
    slot = await user.given("gone.bin", content, OCTETS)
    [upload] = {session["id"] for session in user.gateway.sessions()} - before
    assert user.gateway.removed(upload) == 204
    user.has_nothing(slot)
    for replay in range(2):
        for again in (content, os.urandom(9)):
            assert user.put(slot, again, OCTETS)[0] == 410
        assert user.put(slot, content, OCTETS, Content_Range="bytes 0-8/9")[0] == 410
        chunk = dict(X_Chunk_Number="0", X_Chunk_Size="9", X_Total_Size="9")
        assert user.put(slot, content, OCTETS, **chunk)[0] == 410
        user.has_nothing(slot)
        if replay == 0:
            user.gateway.dies()


async def trap_7_users_of_other_servers_get_no_slot(user):
    """The server brings their requests to the component like any other."""
    if user.issuer.token != "header" or not user.issuer.issues:
        raise DoesNotApply
    async with Client("eve@elsewhere.example/lab", user.client.xmpp_server) as eve:
        for purpose in (None, "ephemeral"):
            stranger = await refusal(eve.slot(HERE, "x", 1, None, purpose))
            assert (stranger.kind, stranger.condition) == ("auth", "forbidden"), purpose


async def refusal(waiting):
    try:
        await asyncio.wait_for(waiting, 30)
    except Refused as refused:
        return refused
    raise AssertionError("it was not refused")


CASES = [
    names_in_ascii, names_with_blanks_and_in_any_script, names_of_reserved_characters,
    no_media_type_is_octet_stream, an_empty_file, exactly_the_maximum, one_byte_more_gets_no_slot,
    one_byte_more_is_refused_though_signed, another_length_is_refused,
    a_body_without_a_length_is_refused, a_second_put_is_refused,
    another_media_type_is_refused_if_it_is_signed, a_forged_token_is_refused,
    a_token_of_yesterday_is_refused, trap_1_clients_rewrite_the_escapes_of_a_path,
    trap_2_the_media_type_is_that_of_the_request, trap_3_a_negative_size_allows_nothing,
    trap_4_success_is_201_with_an_empty_body,
    trap_5_addresses_survive_being_escaped_once_more,
    trap_6_a_deleted_file_is_not_brought_back_by_its_token,
    trap_7_users_of_other_servers_get_no_slot,
]
for case, title in [(names_in_ascii, "names_in_ascii"),
                    (names_with_blanks_and_in_any_script, "names_with_blanks_and_in_any_script"),
                    (names_of_reserved_characters, "names_of_reserved_characters")]:
    case.__name__ = title
