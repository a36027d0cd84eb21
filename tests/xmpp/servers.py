"""Prosody and ejabberd, each started with one file of config/xmpp/, and ended by its process id."""

import glob
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time

from gateway import CONFIG, changed

# A busy machine starts ejabberd in half a minute.
DEADLINE = 90

PROSODY = """
pidfile = "{dir}/prosody.pid"; data_path = "{dir}/data"
plugin_paths = {{ "/usr/lib/prosody/modules" }}
run_as_root = {root}
interfaces = {{ "127.0.0.1" }}; c2s_ports = {{ {c2s} }}; s2s_ports = {{ }}
component_ports = {{ {component} }}; component_interfaces = {{ "127.0.0.1" }}
http_ports = {{ {http} }}; http_interfaces = {{ "127.0.0.1" }}; https_ports = {{ }}
modules_enabled = {{ "roster"; "saslauth"; "disco"; "ping"; "posix" }}
modules_disabled = {{ "s2s"; "tls" }}
c2s_require_encryption = false; allow_unencrypted_plain_auth = true
authentication = "internal_plain"; storage = "internal"
log = {{ debug = "{dir}/server.log" }}
VirtualHost "example.org"
VirtualHost "elsewhere.example"
Include "{file}"
"""

EJABBERD = """
hosts: [{hosts}]
include_config_file:
  - "{file}"
listen:
  - {{port: {c2s}, ip: "127.0.0.1", module: ejabberd_c2s, access: c2s, starttls: false, starttls_required: false}}
acl: {{local: {{user_regexp: ""}}}}
access_rules: {{local: [{{allow: local}}], c2s: [allow], register_all: [allow]}}
auth_method: internal
auth_password_format: plain
s2s_access: none
registration_timeout: infinity
modules:
  mod_disco: {{}}
  mod_ping: {{}}
  mod_roster: {{}}
  mod_register: {{ip_access: all, access: register_all}}
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A server of example.org and, if it can, of elsewhere.example, with a user on each."""

    def __init__(self, kind, file):
        self.kind, self.file = kind, CONFIG / file
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="tidegate-xmpp-"))
        self.c2s, self.component, self.http = free_port(), free_port(), free_port()
        # Where the gateway is going to be, for those that ask it.
        self.gateway = free_port()
        self.process = None
        # The only changes to the file that operators get: ports that are free.
        self.changes = {"port: 5347": f"port: {self.component}",
                        "127.0.0.1:8080": f"127.0.0.1:{self.gateway}"}

    def __enter__(self):
        self.write()
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.dir, ignore_errors=True)

    def rewrite(self, changes):
        """Starts again with further changes to the file that operators get, if it has what they change."""
        text = self.file.read_text()
        if not any(old in text for old in changes):
            return
        self.stop()
        # The new ones come first: those of before may change what they look for.
        self.changes = changes | self.changes
        self.write()
        self.start()

    def write(self):
        if self.kind == "prosody":
            self.write_prosody()
        else:
            self.write_ejabberd()

    def included(self, name):
        """The file that operators get; a copy if something has to be changed in it."""
        text = changed(self.file.read_text(), self.changes)
        if text == self.file.read_text():
            return self.file
        (self.dir / name).write_text(text)
        return self.dir / name

    def write_prosody(self):
        root = "true" if os.getuid() == 0 else "false"
        values = dict(dir=self.dir, root=root, c2s=self.c2s, component=self.component)
        text = PROSODY.format(**values, http=self.http, file=self.included("included.cfg.lua"))
        (self.dir / "prosody.cfg.lua").write_text(text)
        for user, host in [("alice", "example%2eorg"), ("eve", "elsewhere%2eexample")]:
            accounts = self.dir / "data" / host / "accounts"
            accounts.mkdir(parents=True, exist_ok=True)
            (accounts / f"{user}.dat").write_text('return { ["password"] = "secret" };\n')

    def write_ejabberd(self):
        # Without @HOST@ in its put_url, mod_http_upload serves one host only.
        one = "put_url" in self.file.read_text()
        hosts = "example.org" if one else "example.org, elsewhere.example"
        included = self.included("included.yml")
        text = EJABBERD.format(file=included, c2s=self.c2s, hosts=hosts)
        (self.dir / "ejabberd.yml").write_text(text)

    def command(self):
        if self.kind == "prosody":
            return ["prosody", "-F", "--config", str(self.dir / "prosody.cfg.lua")], {}
        # Debian has the folder twice, once with its own revision in the name.
        app = min(glob.glob("/usr/lib/*/ejabberd-*/ebin/ejabberd_app.beam"))
        ebin = pathlib.Path(app).parent
        # No shell of Erlang's own, no port mapper, no node name: one process, nothing but the ports.
        words = ["erl", "-noinput", "+B", "-pa", str(ebin), "-mnesia", "dir", f'"{self.dir}/spool"']
        paths = {"EJABBERD_CONFIG_PATH": "ejabberd.yml", "EJABBERD_LOG_PATH": "server.log"}
        environment = {name: str(self.dir / file) for name, file in paths.items()}
        return [*words, "-s", "ejabberd"], {**environment, "HOME": str(self.dir)}

    def start(self):
        words, environment = self.command()
        with open(self.dir / "out", "ab") as out:
            self.process = subprocess.Popen(
                words, cwd=self.dir, env={**os.environ, **environment}, stdin=subprocess.DEVNULL,
                stdout=out, stderr=subprocess.STDOUT)
        end = time.monotonic() + DEADLINE
        while not self.listens():
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{self.kind} does not start:\n{self.said()}")
            time.sleep(0.05)

    def listens(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.c2s)) == 0

    def said(self):
        files = [file for file in (self.dir / "out", self.dir / "server.log") if file.exists()]
        return "\n".join(file.read_text(errors="replace")[-4000:] for file in files)

    def stop(self):
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None
