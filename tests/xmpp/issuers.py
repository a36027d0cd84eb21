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
    """One way of handing out slots. `settings` are the gateway's, `file` are the server's."""

    name: str
    kind: str
    file: str
    settings: str
    # The name of the scheme for `xmpp_slots`, and who uploads, as the slot says it.
    scheme: str
    owner: str | None
    # Where the token is: "query", "header" or "path".
    token: str = "query"
    # Whether the media type of the PUT has to be the slot's.
    signs_type: bool = False
    # Whether the file name stays as it is.
    keeps_names: bool = True
    secret: str = UPLOAD_SECRET

    @property
    def issues(self):
        """Whether the gateway hands out the slots itself."""
        return self.scheme == "own"

    @property
    def changes(self):
        """Slots of ours have a key that nobody knows. The lab does, to sign what the gateway never would."""
        return {'"own"': f'"own"\nsecret = "{self.secret}"'} if self.issues else {}

    def signed(self, slot, size, media_type, **claimed):
        """Target and fields of a PUT that the slot is not for, as who knows the secret signs it."""
        path = signed_path(slot)
        if self.token != "query":
            said = claims(slot) | dict(filesize=size, filetype=media_type) | claimed
            return bearing(self, slot, jwt(said, self.secret))
        text = f"{path}\0{size}\0{media_type}" if self.signs_type else f"{path} {size}"
        token = hmac.digest(self.secret.encode(), text.encode(), "sha256").hex()
        return f"{get_target(slot)}?{'v2' if self.signs_type else 'v'}={token}", {}

    def forged(self, slot, other):
        """Targets and fields of PUTs with tokens that are wrong, missing, doubled or another slot's."""
        path, _, query = put_target(slot).partition("?")
        if self.token == "query":
            (name, _, code), foreign = query.partition("="), put_target(other).partition("?")[2]
            flipped = query[:-1] + ("0" if query[-1] != "0" else "1")
            bad = ["", flipped, f"{name}={code.upper()}", foreign, f"{query}&{query}", query[:-1]]
            return [(f"{path}?{wrong}", {}) for wrong in bad]
        good, foreign = token(slot), token(other)
        flipped = good[:-2] + ("AA" if good[-2:] != "AA" else "BB")
        negative = jwt(claims(slot) | dict(filesize=-1), self.secret)
        unsigned = good.rpartition(".")[0] + "."
        bad = [bearing(self, slot, wrong) for wrong in (flipped, foreign, negative, unsigned, "x")]
        if self.token == "header":
            bad.append((path, dict(Authorization=None)))
            bad.append((path, dict(Authorization=f"Basic {good}")))
        return bad


SIGNED = [
    Issuer("prosody v1", "prosody", "prosody-http-upload-external-v1.cfg.lua",
           "tidegate-http-upload-external.toml", "prosody", None),
    Issuer("prosody v2", "prosody", "prosody-http-upload-external.cfg.lua",
           "tidegate-http-upload-external.toml", "prosody", None, signs_type=True),
    Issuer("prosody JWT", "prosody", "prosody-http-file-share.cfg.lua",
           "tidegate-http-file-share.toml", "file_share", "alice@example.org", "header"),
    Issuer("ejabberd v1", "ejabberd", "ejabberd-external-secret.yml",
           "tidegate-external-secret.toml", "ejabberd",
           hashlib.sha1(b"alice@example.org").hexdigest(), keeps_names=False),
]
OURS = dict(scheme="own", owner="alice@example.org", secret="the key of the lab's own slots")
ISSUED = [
    Issuer("prosody component", "prosody", "prosody-component.cfg.lua",
           "tidegate-component.toml", token="header", **OURS),
    Issuer("ejabberd component", "ejabberd", "ejabberd-component.yml",
           "tidegate-component.toml", token="header", **OURS),
    Issuer("ejabberd service_url", "ejabberd", "ejabberd-service-url.yml",
           "tidegate-service-url.toml", token="path", keeps_names=False, **OURS),
]


def jwt(said, secret):
    """A token with these claims."""
    def part(value):
        return base64.urlsafe_b64encode(value).rstrip(b"=")
    header = part(json.dumps(dict(alg="HS256", typ="JWT")).encode())
    signed = header + b"." + part(json.dumps(said).encode())
    return (signed + b"." + part(hmac.digest(secret.encode(), signed, "sha256"))).decode()


def token(slot):
    """The JWT of a slot, from its header or its path."""
    if "Authorization" in slot.headers:
        return slot.headers["Authorization"].removeprefix("Bearer ")
    return put_target(slot).split("/")[3]


def bearing(issuer, slot, other):
    """Target and fields of a PUT to the slot with another token."""
    if issuer.token == "header":
        return put_target(slot), dict(Authorization=f"Bearer {other}")
    return put_target(slot).replace(token(slot), other), {}


def claims(slot):
    """What the slot's token says."""
    payload = token(slot).split(".")[1]
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
    ran = subprocess.run([os.environ["XMPP_SLOTS"]], input=text, check=True,
                         capture_output=True, text=True, timeout=DEADLINE)
    return [json.loads(line) for line in ran.stdout.splitlines()]


def check_slot(issuer, slot, name, size, media_type):
    """The slot is taken however its path is escaped, and with nothing changed about it."""
    url = urlsplit(slot.put)
    assert (url.scheme, url.netloc) == ("https", HERE), slot.put
    said = media_type or OCTETS
    line = dict(scheme=issuer.scheme, secret=issuer.secret, target=put_target(slot), length=size, type=said,
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
        assert not issuer.keeps_names or answer["name"] == name, answer
    for line, answer in zip(bad, answers[len(good):]):
        assert "error" in answer, (line, answer)
    assert answers[0]["owner"] == issuer.owner, answers[0]
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
