"""The gateway, started with a file of config/xmpp/ and ended by its process id."""

import http.client
import json
import os
import pathlib
import re
import shutil
import socket
import struct
import subprocess
import tempfile
import time

CONFIG = pathlib.Path(__file__).resolve().parent.parent.parent / "config" / "xmpp"
DEADLINE = 60


class Gateway:
    """A gateway with the settings that operators get, on ports and in a directory of its own."""

    def __init__(self, settings, server, changes=None, **environment):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="tidegate-xmpp-"))
        self.settings = self.dir / settings
        # The only change to the file that operators get is a port that is free, if a test has no other.
        changes = {"127.0.0.1:5347": f"127.0.0.1:{server.component}"} | (changes or {})
        self.settings.write_text(changed((CONFIG / settings).read_text(), changes))
        self.port = server.gateway
        self.environment = {**os.environ, **environment}

    def __enter__(self):
        self.start()
        return self

    def start(self):
        self.log = open(self.dir / "log", "wb")
        self.out = self.dir / "out"
        command = [os.environ["TIDEGATE"], "serve", "--config", self.settings, "--data-dir",
                   self.dir / "data", "--listen", f"127.0.0.1:{self.port}", "--admin-listen", "127.0.0.1:0"]
        with open(self.out, "wb") as out:
            self.process = subprocess.Popen(
                command, stdout=out, stderr=self.log, env=self.environment)
        last = time.monotonic() + DEADLINE
        while not re.search("^ready", self.out.read_text(), re.M):
            assert self.process.poll() is None and time.monotonic() < last, self.said()
            time.sleep(0.05)
        said = self.out.read_text()
        self.address = re.search(r"^upload endpoint *https?://([^/]*)", said, re.M)[1]
        self.admin = re.search(r"^admin *http://([^/\s]*)", said, re.M)[1]

    def looked_at(self):
        """What the operator is told about components."""
        connection = self.connect(self.admin)
        connection.request("GET", "/health/ready")
        return json.loads(answer(connection)[2]).get("components", [])

    def connected(self, wanted=True):
        """Waits until every component is there, or none; what is said of them."""
        last = time.monotonic() + DEADLINE
        while any(one["connected"] != wanted for one in self.looked_at()):
            assert time.monotonic() < last, (self.looked_at(), self.said())
            time.sleep(0.02)
        return self.looked_at()

    def complains(self, words):
        """Waits until a component says why it is not there."""
        last = time.monotonic() + DEADLINE
        while not any(words in one.get("why", "") for one in self.looked_at()):
            assert time.monotonic() < last, (self.looked_at(), self.said())
            time.sleep(0.02)

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
        self.connected()

    def said(self):
        return self.out.read_text() + (self.dir / "log").read_text()

    def connect(self, address=None):
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


def changed(text, changes):
    """The text with its changes; what nothing needs is left out."""
    for old, new in changes.items():
        text = text.replace(old, new)
    return text


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
