"""The gateway, started with a file of config/xmpp/ and ended by its process id."""

import http.client
import json
import os
import pathlib
import re
import shutil
import socket
import ssl
import struct
import subprocess
import tempfile
import time

CONFIG = pathlib.Path(__file__).resolve().parent.parent.parent / "config" / "xmpp"
DEADLINE = 60


class Gateway:
    """A gateway with the settings that operators get, on ports and in a directory of its own."""

    def __init__(self, settings, authority=None, **environment):
        self.settings = CONFIG / settings
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="tidegate-xmpp-"))
        self.environment = {**os.environ, **environment}
        self.trust = authority and ssl.create_default_context(cafile=authority)

    def __enter__(self):
        self.start()
        return self

    def start(self):
        self.log = open(self.dir / "log", "wb")
        self.out = self.dir / "out"
        command = [os.environ["TIDEGATE"], "serve", "--config", self.settings, "--data-dir",
                   self.dir / "data", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]
        with open(self.out, "wb") as out:
            self.process = subprocess.Popen(
                command, stdout=out, stderr=self.log, env=self.environment)
        last = time.monotonic() + DEADLINE
        while not re.search("^ready", self.out.read_text(), re.M):
            assert self.process.poll() is None and time.monotonic() < last, self.said()
            time.sleep(0.05)
        said = self.out.read_text()
        self.address = re.search(r"^upload endpoint *https?://([^/]*)", said, re.M)[1]
        self.port = int(self.address.rpartition(":")[2])
        self.admin = re.search(r"^admin *http://([^/\s]*)", said, re.M)[1]

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(DEADLINE)
        self.log.close()
        shutil.rmtree(self.dir)

    def dies(self):
        """It is killed, and started again over what it left behind."""
        self.process.kill()
        self.process.wait(DEADLINE)
        self.log.close()
        self.start()

    def said(self):
        return self.out.read_text() + (self.dir / "log").read_text()

    def connect(self, address=None):
        if self.trust and not address:
            return http.client.HTTPSConnection(self.address, timeout=DEADLINE, context=self.trust)
        return http.client.HTTPConnection(address or self.address, timeout=DEADLINE)

    def ask(self, method, target, body=None, **fields):
        """Status, fields and body of the answer. A body that is an iterator says no length."""
        connection = self.connect()
        connection.request(method, target, body, named(fields))
        return answer(connection)

    def begin(self, target, body, length, **fields):
        """A PUT of which only the front is sent: the connection, open."""
        connection = self.connect()
        connection.putrequest("PUT", target)
        for name, value in {"Content-Length": str(length), **named(fields)}.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        return connection

    def sessions(self):
        """What the operator sees."""
        connection = self.connect(self.admin)
        connection.request("GET", "/sessions?limit=1000")
        return json.loads(answer(connection)[2])["sessions"]

    def removed(self, upload):
        """The operator deletes it: the status."""
        connection = self.connect(self.admin)
        connection.request("DELETE", f"/sessions/{upload}")
        return answer(connection)[0]


def named(fields):
    return {name.replace("_", "-"): value for name, value in fields.items() if value}


def answer(connection):
    """Status, fields and body; the connection is closed."""
    got = connection.getresponse()
    told = got.status, got.headers, got.read()
    connection.close()
    return told


def half_close(connection):
    """The client sends nothing more, and reads what it is told."""
    connection.sock.shutdown(socket.SHUT_WR)
    return answer(connection)


def reset(connection):
    """The connection breaks, as when a phone leaves its network."""
    connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
