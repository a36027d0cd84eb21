"""The servers that sign slots themselves, and one user's slots of theirs."""

import base64
import dataclasses
import hashlib
import hmac
import json
import os
import subprocess
from urllib.parse import quote, unquote, urlsplit

from client import DEADLINE

HERE = "upload.example.org"
MAX = 1_000_000
UPLOAD_SECRET = "change-this-upload-secret"
OCTETS = "application/octet-stream"


@dataclasses.dataclass(frozen=True)
class Issuer:
    """One way of signing. `settings` are the gateway's, `file` are the server's."""

    name: str
    kind: str
    file: str
    settings: str
    # The name of the scheme for `xmpp_slots verify`, and who uploads, as the slot says it.
    scheme: str
    owner: str | None
    # Whether the media type of the PUT has to be the slot's.
    signs_type: bool = False
    # Whether the file name stays as it is.
    keeps_names: bool = True
    # Whether the gateway hands out the slots itself, with a key that nobody else has.
    issues: bool = False
    secret: str | None = UPLOAD_SECRET

    @property
    def bears(self):
        """Whether the token is in a header of the slot."""
        return self.scheme == "file_share"

    def sign(self, path, length, media_type):
        """Query and fields for any file, as whoever knows the secret can make them."""
        if self.bears:
            slot, name = path.split("/")
            return "", bearing(dict(sub="alice@example.org", exp=2**33, slot=slot, filename=name,
                                    filesize=length, filetype=media_type))
        text = f"{path}\0{length}\0{media_type}" if self.signs_type else f"{path} {length}"
        token = hmac.digest(UPLOAD_SECRET.encode(), text.encode(), "sha256").hex()
        return f"?v2={token}" if self.signs_type else f"?v={token}", {}


SIGNED = [
    Issuer("prosody v1", "prosody", "prosody-http-upload-external-v1.cfg.lua",
           "tidegate-http-upload-external.toml", "prosody", None),
    Issuer("prosody v2", "prosody", "prosody-http-upload-external.cfg.lua",
           "tidegate-http-upload-external.toml", "prosody", None, signs_type=True),
    Issuer("prosody JWT", "prosody", "prosody-http-file-share.cfg.lua",
           "tidegate-http-file-share.toml", "file_share", "alice@example.org"),
    Issuer("ejabberd v1", "ejabberd", "ejabberd-external-secret.yml",
           "tidegate-external-secret.toml", "ejabberd",
           hashlib.sha1(b"alice@example.org").hexdigest(), keeps_names=False),
]


def bearing(claims, secret=UPLOAD_SECRET):
    """`Authorization` with these claims, signed with the right secret."""
    def part(value):
        return base64.urlsafe_b64encode(value).rstrip(b"=")
    header = part(json.dumps(dict(alg="HS256", typ="JWT")).encode())
    signed = header + b"." + part(json.dumps(claims).encode())
    code = part(hmac.digest(secret.encode(), signed, "sha256"))
    return dict(Authorization="Bearer " + (signed + b"." + code).decode())


def claims(slot):
    """What the token in the slot's header says."""
    payload = slot.headers["Authorization"].split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


def put_target(slot):
    url = urlsplit(slot.put)
    return url.path + ("?" + url.query if url.query else "")


def get_target(slot):
    return urlsplit(slot.get).path


def signed_path(slot):
    """What the signature is about: the path below the base path, decoded."""
    return unquote(urlsplit(slot.put).path).removeprefix("/upload/")


def variants(target):
    """The target as different clients escape it; the second as slixmpp does."""
    path, _, query = target.partition("?")
    tail = "?" + query if query else ""
    decoded = unquote(path)
    yield target
    yield quote(decoded, safe="/!$&'()*+,;=:@") + tail
    yield quote(decoded, safe="/") + tail
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
    said = media_type or OCTETS
    line = dict(scheme=scheme, secret=secret, target=put_target(slot), length=size, type=said,
                authorization=slot.headers.get("Authorization"))
    good = [line | dict(target=target) for target in variants(put_target(slot))]
    bad = [
        line | dict(length=size + 1), line | dict(length=None), line | dict(secret="another"),
        line | dict(target=put_target(slot).replace("/upload/", "/upload/x", 1)),
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


class User:
    """A client with one server's slots and the gateway they are for."""

    def __init__(self, issuer, client, gateway):
        self.issuer, self.client, self.gateway = issuer, client, gateway

    async def slot(self, name, size, media_type=None):
        return await self.client.slot(HERE, name, size, media_type)

    async def given(self, name, content, media_type=None):
        """A slot that has its file."""
        slot = await self.slot(name, len(content), media_type)
        status, _, body = self.put(slot, content, media_type)
        assert (status, body) == (201, b""), (slot, status, body)
        return slot

    def put(self, slot, content, media_type=None, target=None, **fields):
        """The PUT that clients make: the slot's own headers and the type that it was asked for."""
        fields = dict(Content_Type=media_type, **slot.headers) | fields
        return self.gateway.ask("PUT", target or put_target(slot), content, **fields)

    def fetched(self, slot, **fields):
        return self.gateway.ask("GET", get_target(slot), **fields)

    def has(self, slot, content):
        """The file is there, byte for byte."""
        status, told, body = self.fetched(slot)
        assert (status, body == content) == (200, True), (slot, status, len(body))
        assert told["Content-Length"] == str(len(content)), told

    def has_nothing(self, slot):
        """Nobody gets anything at the slot's address, not even a part."""
        for method, fields in [("GET", {}), ("HEAD", {}), ("GET", dict(Range="bytes=0-"))]:
            status = self.gateway.ask(method, get_target(slot), **fields)[0]
            assert status in (404, 410), (slot, method, status)
