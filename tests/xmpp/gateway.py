"""The gateway, started with one tenant and ended by its process id."""

import http.client
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import time

DEADLINE = 60


class Gateway:
    """A gateway that takes the slots of one issuer below /upload."""

    def __init__(self, scheme, secret):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="tidegate-xmpp-"))
        (self.dir / "secret").write_text(secret + "\n")
        self.settings = self.dir / "tidegate.toml"
        self.settings.write_text(
            f'[[xep0363.tenants]]\nscheme = "{scheme}"\nsecret_file = "{self.dir}/secret"\n')

    def __enter__(self):
        self.start()
        return self

    def start(self):
        self.log = open(self.dir / "log", "wb")
        self.out = self.dir / "out"
        command = [os.environ["TIDEGATE"], "serve", "--config", self.settings, "--data-dir",
                   self.dir / "data", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]
        with open(self.out, "wb") as out:
            self.process = subprocess.Popen(command, stdout=out, stderr=self.log)
        last = time.monotonic() + DEADLINE
        while not re.search("^ready", self.out.read_text(), re.M):
            assert self.process.poll() is None and time.monotonic() < last, self.said()
            time.sleep(0.05)
        self.address = re.search(r"^upload endpoint *http://([^/]*)", self.out.read_text(), re.M)[1]

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

    def begin(self, target, body, length, **fields):
        """A PUT of which only the front is sent: the connection, open."""
        connection = http.client.HTTPConnection(self.address, timeout=DEADLINE)
        connection.putrequest("PUT", target)
        connection.putheader("Content-Length", str(length))
        for name, value in fields.items():
            if value:
                connection.putheader(name.replace("_", "-"), value)
        connection.endheaders(body)
        return connection

    def said(self):
        return self.out.read_text() + (self.dir / "log").read_text()

    def ask(self, method, target, body=None, **fields):
        """Status, fields and body of the answer."""
        connection = http.client.HTTPConnection(self.address, timeout=DEADLINE)
        connection.request(method, target, body,
                           {name.replace("_", "-"): value for name, value in fields.items() if value})
        answer = connection.getresponse()
        told = answer.status, answer.headers, answer.read()
        connection.close()
        return told
