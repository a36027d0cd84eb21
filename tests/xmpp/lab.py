"""Every way in which an XMPP server hands out slots, tried with the server itself.

lab.py [WORD ..]: only the legs whose names hold one of the words.
"""

import asyncio
import contextlib
import sys
import time
import traceback

import component
import cuts
import habits
import hostile
import matrix
import secure
from client import Client
from gateway import Gateway
from issuers import ISSUED, SIGNED, User
from servers import Server

CASES = matrix.CASES + habits.CASES + cuts.CASES


class Table:
    """Which case held with which issuer, and what did not hold."""

    def __init__(self):
        self.cells, self.columns, self.failed = {}, [], 0

    def note(self, case, issuer, outcome):
        if issuer not in self.columns:
            self.columns.append(issuer)
        self.cells[case, issuer] = outcome

    def fail(self, where):
        self.failed += 1
        print(f"FAIL  {where}:\n{traceback.format_exc()}", flush=True)

    def __str__(self):
        rows = [["", *self.columns]]
        for case in dict.fromkeys(case for case, _ in self.cells):
            rows.append([case, *(self.cells.get((case, column), "") for column in self.columns)])
        wide = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
        return "\n".join("  ".join(map(str.ljust, row, wide)).rstrip() for row in rows)


async def every_case(server, issuer, table):
    """All cases with one issuer, one after the other; what fails is noted, and the rest goes on."""
    held, beside, slowest = 0, 0, 0.0
    with Gateway(issuer.settings, server, issuer.changes) as gateway:
        gateway.connected()
        async with Client("alice@example.org/lab", server) as alice:
            for case in CASES:
                name, began = case.__name__.replace("_", " "), time.monotonic()
                try:
                    await case(User(issuer, alice, gateway))
                    outcome, held = "ok", held + 1
                except matrix.DoesNotApply:
                    outcome, beside = "-", beside + 1
                except Exception:
                    outcome = "FAIL"
                    table.fail(f"{issuer.name}, {name}")
                table.note(name, issuer.name, outcome)
                slowest = max(slowest, time.monotonic() - began)
    return (f"{held} of {len(CASES)} cases held, {beside} do not apply, "
            f"the slowest took {slowest:.1f} s")


def signed(issuer, table):
    return issuer.name, issuer.kind, issuer.file, lambda server: every_case(server, issuer, table)


def legs(table):
    """Name, server, its settings, and what is tried with it; what changes the settings comes last."""
    yield from (signed(issuer, table) for issuer in SIGNED + ISSUED)
    yield from component.LEGS
    yield from secure.LEGS
    yield from hostile.LEGS


def served(kind, file):
    """The server, if the leg is not about one that it plays itself."""
    return Server(kind, file) if kind else contextlib.nullcontext()


def run(name, leg, server, table):
    began, failed = time.monotonic(), table.failed
    try:
        told = asyncio.run(leg(server))
    except (Exception, asyncio.CancelledError):
        told = "did not come to its end"
        table.fail(name)
        print(server.said() if server else "")
    mark = "ok   " if failed == table.failed else "FAIL "
    print(f"{mark} {time.monotonic() - began:5.1f} s  {name}: {told}", flush=True)


def main(words):
    table, started = Table(), time.monotonic()
    wanted = [leg for leg in legs(table) if not words or any(word in leg[0] for word in words)]
    groups = {}
    for name, *group, leg in wanted:
        groups.setdefault(tuple(group), []).append((name, leg))
    for (kind, file), members in groups.items():
        began = time.monotonic()
        try:
            with served(kind, file) as server:
                print(f"      {time.monotonic() - began:5.1f} s  {file or 'no server'}", flush=True)
                for name, leg in members:
                    run(name, leg, server, table)
        except RuntimeError:
            table.fail(file)
    print(f"\n{table}\n\n{time.monotonic() - started:.0f} s, {table.failed} failures")
    return 1 if table.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
