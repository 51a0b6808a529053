"""The server as the router sees it (docs/wire.md, "Router → server"): tables with generations by long poll, whole or
as differences, reports, logs and metrics. One asyncio server on a unix socket."""
import asyncio
import json
import os
import time
import uuid
from urllib.parse import parse_qs, urlsplit

POLL = 25


def identity():
    """An id in the form that the wire wants. Its version does not matter to the router."""
    return str(uuid.uuid4())


def boot_id():
    with open("/proc/sys/kernel/random/boot_id") as file:
        return file.read().strip()


def endpoint(port, instance=None, name="web.1", host="127.0.0.1"):
    return {"instance": instance or identity(), "name": name, "address": {"host": host, "port": port}}


def app(name, hosts, endpoints, logs=None):
    value = {"id": identity(), "name": name, "hosts": hosts, "state": "live", "endpoints": endpoints}
    return value if logs is None else value | {"settings": {"logs": logs}}


def whole(apps, generation=1, installation=None):
    return {"generation": generation, "installation": installation or identity(), "bootID": boot_id(), "apps": apps}


class FakeServer:
    """Holds the table. `change` makes the next generation; `acknowledged` waits for the router to report it."""

    def __init__(self, path, apps, deltas=True, log=None):
        self.path, self.deltas, self.log = path, deltas, log
        self.table = whole(apps)
        self.changes = {}  # generation → difference to the one before
        self.report, self.reports, self.metrics, self.lines = None, 0, None, 0
        self.sent = {}     # generation → when its first byte was written
        self.reported = {}  # generation → when it was first reported
        self.news = asyncio.Condition()

    @property
    def generation(self):
        return self.table["generation"]

    async def start(self):
        self.server = await asyncio.start_unix_server(self._serve, self.path, limit=1 << 20)
        os.chmod(self.path, 0o666)

    async def stop(self):
        self.server.close()
        if self.log:
            self.log.close()

    async def change(self, apps, removed=()):
        """Replaces or adds these apps, takes `removed` ids away; returns the new generation."""
        changed = {value["id"]: value for value in apps}
        kept = [changed.pop(value["id"], value) for value in self.table["apps"] if value["id"] not in removed]
        async with self.news:
            before = self.generation
            self.table = self.table | {"apps": kept + list(changed.values()), "generation": before + 1}
            difference = {key: value for key, value in self.table.items() if key != "apps"}
            self.changes[before + 1] = difference | {"base": before, "apps": list(apps), "removed": list(removed)}
            self.news.notify_all()
        return before + 1

    async def acknowledged(self, generation, until=lambda report: True, limit=30):
        """The first report of this generation or a later one that satisfies `until`."""
        def good():
            return self.report and self.report["generation"] >= generation and until(self.report)
        async with self.news:
            await asyncio.wait_for(self.news.wait_for(good), limit)
        return self.report

    async def drained(self, generation, instance, limit=30):
        """What the real server waits for before it lets go of an instance."""
        await self.acknowledged(
            generation, lambda report: all(item["instance"] != instance for item in report["inFlight"]), limit)

    async def _serve(self, reader, writer):
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                method, path = head.split(" ", 2)[:2]
                fields = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
                body = await reader.readexactly(int(fields.get("content-length", 0)))
                status, answer = await self._answer(method, path, body)
                length = f"Content-Length: {len(answer)}\r\n" if status != "204 No Content" else ""
                writer.write(f"HTTP/1.1 {status}\r\nPaas-Wire: 1\r\n{length}\r\n".encode() + answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _answer(self, method, path, body):
        if path.startswith("/router/table"):
            return await self._poll(int(parse_qs(urlsplit(path).query)["after"][0]))
        if path == "/router/report":
            await self._hear(json.loads(body))
        elif path == "/router/logs":
            self.lines += body.count(b" service=")
            if self.log:
                self.log.write(body)
        elif path == "/router/metrics":
            self.metrics = json.loads(body)
        else:
            return "404 Not Found", b'{"id":"not_found","message":"no such route"}'
        return "204 No Content", b""

    async def _hear(self, report):
        now = time.monotonic()
        async with self.news:
            self.report, self.reports = report, self.reports + 1
            for generation in range(max(self.reported, default=0) + 1, report["generation"] + 1):
                self.reported[generation] = now
            self.news.notify_all()

    async def _poll(self, after):
        async with self.news:
            try:
                await asyncio.wait_for(self.news.wait_for(lambda: self.generation != after), POLL)
            except asyncio.TimeoutError:
                return "204 No Content", b""
            answer = json.dumps(self._since(after), separators=(",", ":")).encode()
            self.sent.setdefault(self.generation, time.monotonic())
        return "200 OK", answer

    def _since(self, after):
        """The table as a router that has generation `after` needs it."""
        steps = range(after + 1, self.generation + 1)
        if not self.deltas or after < 1 or any(number not in self.changes for number in steps):
            return self.table
        changed, removed = {}, set()
        for number in steps:
            for value in self.changes[number]["apps"]:
                changed[value["id"]] = value
                removed.discard(value["id"])
            for gone in self.changes[number]["removed"]:
                changed.pop(gone, None)
                removed.add(gone)
        difference = {"base": after, "apps": list(changed.values()), "removed": sorted(removed)}
        return self.changes[self.generation] | difference
