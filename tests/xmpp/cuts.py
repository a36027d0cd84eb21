"""Uploads that break off, and every way in which they go on: what is there at the end is the file."""

import os
import time

from client import DEADLINE
from gateway import half_close, reset
from issuers import MAX, OCTETS, put_target

SIZE = 200_000
CUT = SIZE * 6 // 10


async def begun(user, content, size=SIZE, cut=CUT):
    """A slot of which the front has been sent, and the connection."""
    slot = await user.slot("cut.bin", size, OCTETS)
    fields = dict(Content_Type=OCTETS, **slot.headers)
    return slot, user.gateway.begin(put_target(slot), content[:cut], size, **fields)


async def cut_at_60_percent(user):
    """A slot, its content, and what the client was told when it broke off."""
    content = os.urandom(SIZE)
    slot, connection = await begun(user, content)
    status, told, _ = half_close(connection)
    assert status >= 400 and told["Upload-Offset"] == str(CUT), (status, told)
    user.has_nothing(slot)
    return slot, content


async def a_cut_put_is_put_again(user):
    slot, content = await cut_at_60_percent(user)
    assert user.put(slot, content, OCTETS)[0] == 201
    user.has(slot, content)


async def a_put_whose_connection_broke_is_put_again_and_again(user):
    content = os.urandom(SIZE)
    slot, connection = await begun(user, content)
    reset(connection)
    fields = dict(Content_Type=OCTETS, **slot.headers)
    for cut in (10, CUT, SIZE - 1):
        connection = user.gateway.begin(put_target(slot), content[:cut], SIZE, **fields)
        user.has_nothing(slot)
        reset(connection)
    for _ in range(5):
        # On a busy machine one of the broken ones may only be read now, and then it is the newer one.
        status, _, said = user.put(slot, content, OCTETS)
        if b"taken-over" not in said:
            break
    assert status == 201, (status, said)
    user.has(slot, content)


async def a_cut_put_goes_on_with_content_range(user):
    slot, content = await cut_at_60_percent(user)
    # Nothing that would leave a hole.
    status, told, _ = user.put(slot, content[CUT + 1:], OCTETS,
                               Content_Range=f"bytes {CUT + 1}-{SIZE - 1}/{SIZE}")
    assert (status, told["Upload-Offset"]) == (409, str(CUT)), (status, told)
    user.has_nothing(slot)
    rest = f"bytes {CUT}-{SIZE - 1}/{SIZE}"
    assert user.put(slot, content[CUT:], OCTETS, Content_Range=rest)[0] == 201
    user.has(slot, content)


async def a_cut_put_goes_on_in_chunks(user):
    slot, content = await cut_at_60_percent(user)
    size = SIZE // 5
    for number, expected in [(4, 204), (3, 201)]:
        chunk = dict(X_Chunk_Number=str(number), X_Chunk_Size=str(size), X_Total_Size=str(SIZE))
        part = content[number * size:(number + 1) * size]
        user.has_nothing(slot)
        assert user.put(slot, part, OCTETS, **chunk)[0] == expected, number
    user.has(slot, content)


async def a_cut_put_goes_on_by_tus(user):
    slot, content = await cut_at_60_percent(user)
    tus = dict(Tus_Resumable="1.0.0", **slot.headers)
    status, told, _ = user.gateway.ask("HEAD", put_target(slot), **tus)
    at = told["Upload-Offset"], told["Upload-Length"]
    assert (status, at) == (200, (str(CUT), str(SIZE))), (status, told)
    tus["Content_Type"] = "application/offset+octet-stream"
    for start, end in [(CUT, CUT + 1), (CUT + 1, SIZE)]:
        user.has_nothing(slot)
        status, told, _ = user.gateway.ask("PATCH", put_target(slot), content[start:end],
                                           Upload_Offset=str(start), **tus)
        assert (status, told["Upload-Offset"]) == (204, str(end)), (status, told)
    user.has(slot, content)


async def a_gateway_that_is_killed_keeps_what_it_said_it_has(user):
    content, half = os.urandom(MAX), MAX // 2
    unused = await user.slot("unused.bin", 5, OCTETS)
    slot, cut = await begun(user, content, MAX, half)
    tus = dict(Tus_Resumable="1.0.0", **slot.headers)
    last, offset = time.monotonic() + DEADLINE, 0
    while offset == 0:
        # Before the gateway has seen the slot, nobody has a right to ask for it.
        status, told, _ = user.gateway.ask("HEAD", put_target(slot), **tus)
        assert status in (200, 403, 404) and time.monotonic() < last, status
        offset = int(told.get("Upload-Offset", 0))
    user.gateway.dies()
    cut.close()
    status, told, _ = user.gateway.ask("HEAD", put_target(slot), **tus)
    kept = int(told["Upload-Offset"])
    assert status == 200 and offset <= kept <= half, (status, offset, kept)
    user.has_nothing(slot)
    status, _, _ = user.gateway.ask("PATCH", put_target(slot), content[kept:],
                                    Upload_Offset=str(kept),
                                    Content_Type="application/offset+octet-stream", **tus)
    assert status == 204, status
    user.has(slot, content)
    # A slot from before that nobody has used, and one from after it.
    assert user.put(unused, b"hello", OCTETS)[0] == 201
    user.has(unused, b"hello")
    user.has(await user.given("next.bin", b"hello", OCTETS), b"hello")


CASES = [
    a_cut_put_is_put_again, a_put_whose_connection_broke_is_put_again_and_again,
    a_cut_put_goes_on_with_content_range, a_cut_put_goes_on_in_chunks, a_cut_put_goes_on_by_tus,
    a_gateway_that_is_killed_keeps_what_it_said_it_has,
]
