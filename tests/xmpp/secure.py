"""A client's own upload over TLS: found by disco, put and fetched, the certificate checked."""

import asyncio
import dataclasses
import os
import subprocess
import sys
import tempfile
from io import BytesIO

import aiohttp
from aiohttp.resolver import ThreadedResolver

from client import DEADLINE, Client
from gateway import Gateway
from issuers import HERE


class Here(ThreadedResolver):
    """The host of the slots is on this machine."""

    async def resolve(self, host, port=0, family=0):
        return await super().resolve("127.0.0.1" if host == HERE else host, port, family)


def openssl(where, *words):
    subprocess.run(["openssl", *words], cwd=where, check=True, capture_output=True)


def certify(where):
    """An authority of our own, and its certificate for the host of the slots."""
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    openssl(where, "req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2",
            "-subj", "/CN=an authority of the lab", "-addext", "basicConstraints=critical,CA:TRUE")
    openssl(where, "req", *key, "-keyout", "gateway.key", "-out", "gateway.csr", "-subj", "/CN=lab")
    with open(f"{where}/names", "w") as names:
        names.write(f"subjectAltName=DNS:{HERE}\nbasicConstraints=CA:FALSE\n")
    openssl(where, "x509", "-req", "-in", "gateway.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
            "-CAcreateserial", "-out", "gateway.pem", "-days", "2", "-extfile", "names")


async def uploads(server, settings):
    """slixmpp's own `upload_file`, with nothing told but where the authority is."""
    with tempfile.TemporaryDirectory(prefix="tidegate-xmpp-") as where:
        certify(where)
        tls = dict(TIDEGATE__TLS__CERTIFICATE=f"{where}/gateway.pem",
                   TIDEGATE__TLS__KEY=f"{where}/gateway.key")
        # The slots of the settings are on port 443, which a test does not take.
        port = {f"https://{HERE}": f"https://{HERE}:{server.gateway}"}
        with Gateway(settings, server, port, **tls) as gateway:
            # Where ejabberd asks the gateway, it asks by https too.
            server.rewrite(port | {"http://127.0.0.1": "https://127.0.0.1"})
            gateway.connected()
            client = [sys.executable, __file__, server.kind, str(server.c2s)]
            refused = subprocess.run(client, capture_output=True, text=True, timeout=DEADLINE)
            assert "CERTIFICATE_VERIFY_FAILED" in refused.stderr, refused
            assert all(session["offset"] == 0 for session in gateway.sessions())
            trusting = dict(os.environ, SSL_CERT_FILE=f"{where}/ca.pem")
            return subprocess.run(client, env=trusting, check=True, stdout=subprocess.PIPE,
                                  text=True, timeout=DEADLINE).stdout.strip()


@dataclasses.dataclass
class Server:
    kind: str
    c2s: int


async def client(server):
    """Its own process: what it trusts is read from the environment when it starts."""
    aiohttp.connector.DefaultResolver = Here
    content = os.urandom(200_000)
    async with Client("alice@example.org/lab", server) as alice, aiohttp.ClientSession() as session:
        for name in ("hello.jpg", "très cool (1)+.jpg"):
            address = await alice.plugin["xep_0363"].upload_file(
                name, input_file=BytesIO(content), size=len(content), content_type="image/jpeg")
            assert address.startswith(f"https://{HERE}:"), address
            async with session.get(address) as got:
                assert (got.status, await got.read() == content) == (200, True), got
                assert got.headers["Content-Type"] == "image/jpeg", got
    print("found, put and fetched by the client's own means; another authority's was refused")


LEGS = [
    ("prosody v2 over TLS", "prosody", "prosody-http-upload-external.cfg.lua",
     lambda server: uploads(server, "tidegate-http-upload-external.toml")),
    ("prosody JWT over TLS", "prosody", "prosody-http-file-share.cfg.lua",
     lambda server: uploads(server, "tidegate-http-file-share.toml")),
    ("ejabberd v1 over TLS", "ejabberd", "ejabberd-external-secret.yml",
     lambda server: uploads(server, "tidegate-external-secret.toml")),
    ("ejabberd service_url over TLS", "ejabberd", "ejabberd-service-url.yml",
     lambda server: uploads(server, "tidegate-service-url.toml")),
    ("prosody component over TLS", "prosody", "prosody-component.cfg.lua",
     lambda server: uploads(server, "tidegate-component.toml")),
    ("ejabberd component over TLS", "ejabberd", "ejabberd-component.yml",
     lambda server: uploads(server, "tidegate-component.toml")),
]


if __name__ == "__main__":
    asyncio.run(client(Server(sys.argv[1], int(sys.argv[2]))))
