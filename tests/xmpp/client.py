"""slixmpp as the client, and the words of XEP-0363 in it."""

import asyncio
import dataclasses
import logging
from xml.etree import ElementTree

import slixmpp
from slixmpp.exceptions import IqError, IqTimeout

UPLOAD = "urn:xmpp:http:upload:0"
PURPOSE = "urn:xmpp:http:upload:purpose:0"
# A busy machine logs a user in at ejabberd in half a minute.
DEADLINE = 60
logging.getLogger("slixmpp").setLevel(logging.CRITICAL)


@dataclasses.dataclass
class Slot:
    put: str
    get: str
    headers: dict


@dataclasses.dataclass
class Refused(Exception):
    kind: str
    condition: str
    xml: ElementTree.Element


class Silent(Exception):
    """Nothing was answered."""


class Client(slixmpp.ClientXMPP):
    """A logged-in user. On ejabberd the account is made at the first login."""

    def __init__(self, jid, server):
        super().__init__(jid, "secret")
        self.enable_direct_tls = self.enable_starttls = False
        self.enable_plaintext = True
        self.plugin["feature_mechanisms"].unencrypted_plain = True
        self.plugin["feature_mechanisms"].unencrypted_scram = True
        for plugin in ("xep_0030", "xep_0128", "xep_0199", "xep_0363"):
            self.register_plugin(plugin)
        if server.kind == "ejabberd":
            self.register_plugin("xep_0077")
            self.plugin["xep_0077"].force_registration = True
            self.add_event_handler("register", self.make_account)
        self.xmpp_server = server

    async def make_account(self, _):
        answer = self.Iq()
        answer["type"] = "set"
        answer["register"]["username"] = self.boundjid.user
        answer["register"]["password"] = self.password
        try:
            await answer.send()
        except IqError as error:
            if error.condition != "conflict":
                raise

    async def __aenter__(self):
        started = asyncio.get_running_loop().create_future()
        self.add_event_handler("session_start", lambda _: started.done() or started.set_result(1))
        self.connect("127.0.0.1", self.xmpp_server.c2s)
        await asyncio.wait_for(started, DEADLINE)
        return self

    async def __aexit__(self, *_):
        await self.disconnect(wait=1)

    async def ask(self, to, payload, kind="get", patience=DEADLINE):
        """The answer to an IQ; `Refused` if it is an error, `Silent` if there is none."""
        iq = self.make_iq(ito=to, itype=kind)
        iq.append(payload)
        try:
            return (await iq.send(timeout=patience)).xml
        except IqTimeout:
            raise Silent(f"{to} does not answer") from None
        except IqError as error:
            raise Refused(error.etype, error.condition, error.iq.xml) from None

    async def slot(self, to, name, size, media_type=None, purpose=None, patience=DEADLINE,
                   **attributes):
        request = ElementTree.Element(f"{{{UPLOAD}}}request", filename=name, size=str(size))
        if media_type is not None:
            request.set("content-type", media_type)
        if purpose is not None:
            ElementTree.SubElement(request, f"{{{PURPOSE}}}{purpose}", **attributes)
        slot = (await self.ask(to, request, patience=patience)).find(f"{{{UPLOAD}}}slot")
        put, get = slot.find(f"{{{UPLOAD}}}put"), slot.find(f"{{{UPLOAD}}}get")
        headers = {header.get("name"): header.text for header in put}
        return Slot(put.get("url"), get.get("url"), headers)
