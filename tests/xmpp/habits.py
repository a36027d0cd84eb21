"""What clients do with a slot and with the address of its file, each as it does it."""

import os

from issuers import get_target, put_target

PAGE = "https://chat.example"


async def conversations_looks_before_it_fetches_and_goes_on_after_a_break(user):
    content = os.urandom(50_000)
    slot = await user.given("IMG_20261121.jpg", content, "image/jpeg")
    assert slot.get.endswith("/IMG_20261121.jpg"), slot.get
    status, told, body = user.gateway.ask("HEAD", get_target(slot), Accept_Encoding="identity")
    assert (status, told["Content-Length"], body) == (200, "50000", b""), (status, told)
    assert told["Content-Encoding"] in (None, "identity"), told
    for start in (1, 20_000, 49_999):
        said = dict(Range=f"bytes={start}-", Accept_Encoding="identity")
        status, told, body = user.fetched(slot, **said)
        assert (status, body == content[start:]) == (206, True), (start, status)
        assert told["Content-Range"] == f"bytes {start}-49999/50000", told
        assert told["Content-Length"] == str(50_000 - start), told
    # What it has all of already.
    status, told, _ = user.fetched(slot, Range="bytes=50000-")
    assert (status, told["Content-Range"]) == (416, "bytes */50000"), (status, told)
    user.has(slot, content)


async def dino_takes_only_https_and_headers_by_their_exact_name(user):
    content = os.urandom(3_000)
    slot = await user.slot("a.pdf", 3_000, "application/pdf")
    assert slot.put.startswith("https://") and slot.get.startswith("https://"), slot
    assert set(slot.headers) <= {"Authorization"}, slot.headers
    assert all("\n" not in value and len(value) < 8192 for value in slot.headers.values())
    status = user.put(slot, content, "application/pdf", User_Agent="Dino", Accept_Encoding="gzip")[0]
    assert 200 <= status < 300, status
    status, told, _ = user.gateway.ask("HEAD", get_target(slot), Accept_Encoding="identity")
    assert (status, told["Content-Length"]) == (200, "3000"), told
    user.has(slot, content)


async def gajim_asks_for_size_and_type_before_a_preview(user):
    content = os.urandom(3_000)
    slot = await user.given("photo.webp", content, "image/webp")
    for method, fields in [("HEAD", {}), ("GET", dict(Accept_Encoding="gzip, deflate, br"))]:
        status, told, _ = user.gateway.ask(method, get_target(slot), **fields)
        said = told["Content-Type"], told["Content-Length"], told["Content-Encoding"]
        assert (status, *said) == (200, "image/webp", "3000", None), told
    # It asks once more whether what it has is still what is there.
    status = user.fetched(slot, If_None_Match=told["ETag"])[0]
    assert status == 304, status


async def converse_puts_from_a_page_of_another_origin(user):
    slot = await user.slot("a.png", 900, "image/png")
    asked = dict(Origin=PAGE, Access_Control_Request_Method="PUT",
                 Access_Control_Request_Headers="authorization,content-type")
    for target in (put_target(slot), get_target(slot)):
        status, told, _ = user.gateway.ask("OPTIONS", target, **asked)
        assert 200 <= status < 300, status
        assert told["Access-Control-Allow-Origin"] in ("*", PAGE), told
        methods = told["Access-Control-Allow-Methods"].replace(" ", "").split(",")
        assert {"PUT", "GET", "HEAD", "OPTIONS"} <= set(methods), methods
        names = told["Access-Control-Allow-Headers"].lower().replace(" ", "").split(",")
        assert {"authorization", "content-type"} <= set(names), names
    content = os.urandom(900)
    # An error is shown to people: the page can read it, and it is text.
    status, told, body = user.put(slot, content + b"x", "image/png", Origin=PAGE)
    assert status in (403, 413) and told["Access-Control-Allow-Origin"] in ("*", PAGE), told
    assert 20 < len(body.decode()) < 1000 and told["Content-Type"].startswith("application/json")
    status, told, _ = user.put(slot, content, "image/png", Origin=PAGE)
    assert (status, told["Access-Control-Allow-Origin"] in ("*", PAGE)) == (201, True), told
    status, told, body = user.fetched(slot, Origin=PAGE)
    assert (status, body == content) == (200, True)
    assert told["Access-Control-Allow-Origin"] in ("*", PAGE), told


async def psi_leaves_the_media_type_out(user):
    content = os.urandom(900)
    slot = await user.slot("a.png", 900, "image/png")
    status = user.put(slot, content)[0]
    if user.issuer.signs_type:
        # The type is signed, and nobody may guess it.
        assert status == 403, status
        user.has_nothing(slot)
        return
    assert status == 201, status
    user.has(slot, content)


async def names_and_types_come_back(user):
    for name, media_type in [("日本語 è.txt", "text/plain"), ("a\"b;c.png", "image/png")]:
        slot = await user.given(name, b"hello", media_type)
        told = user.fetched(slot)[1]
        assert told["Content-Type"].split(";")[0] == media_type, told
        shown = told["Content-Disposition"]
        assert shown.isascii() and shown.startswith("inline; filename="), shown
        if user.issuer.keeps_names and not name.isascii():
            assert "filename*=UTF-8''%E6%97%A5%E6%9C%AC%E8%AA%9E%20%C3%A8.txt" in shown, shown


async def what_holds_scripts_is_saved_and_not_shown(user):
    script = b"<script xmlns='http://www.w3.org/1999/xhtml'>alert(1)</script>"
    for name, media_type in [
            ("a.html", "text/html"), ("a.svg", "image/svg+xml"), ("a.xhtml", "application/xhtml+xml"),
            ("a.xml", "text/xml"), ("a.js", "text/javascript"), ("a.html", None)]:
        told = user.fetched(await user.given(name, script, media_type))[1]
        assert told["X-Content-Type-Options"] == "nosniff", told
        assert told["Content-Disposition"].startswith("attachment"), (media_type, told)
        policy = told["Content-Security-Policy"]
        assert "sandbox" in policy and "default-src 'none'" in policy, policy


CASES = [
    conversations_looks_before_it_fetches_and_goes_on_after_a_break,
    dino_takes_only_https_and_headers_by_their_exact_name,
    gajim_asks_for_size_and_type_before_a_preview, converse_puts_from_a_page_of_another_origin,
    psi_leaves_the_media_type_out, names_and_types_come_back,
    what_holds_scripts_is_saved_and_not_shown,
]
