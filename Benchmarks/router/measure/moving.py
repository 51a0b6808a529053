"""Apps whose instances move between addresses, and clients that notice when an answer is not their app's."""
import asyncio
import collections
import itertools
import random

from .server import endpoint, identity


async def read_head(reader):
    """(first line, {field: value}) or None at a clean end."""
    try:
        text = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise
        return None
    first, *lines = text[:-4].split("\r\n")
    return first, {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}


async def read_body(reader, fields):
    """By Content-Length or in chunks, whole; anything cut short throws."""
    if fields.get("transfer-encoding", "").lower() != "chunked":
        return await reader.readexactly(int(fields.get("content-length", 0)))
    body = b""
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    while await reader.readuntil(b"\r\n") != b"\r\n":
        pass
    return body


class Journal:
    """What the instances saw."""

    def __init__(self):
        self.arrived = collections.Counter()   # request → heads that arrived, at any instance
        self.complete = collections.Counter()  # request → those with their whole body
        self.misrouted = []


class Instance:
    """One process of an app: a listener that ends with it, and connections that do."""

    def __init__(self, app, port, journal):
        self.app, self.port, self.journal = app, port, journal
        self.id, self.connections, self.dead = identity(), set(), False

    @property
    def endpoint(self):
        return endpoint(self.port, self.id)

    async def start(self):
        self.listener = await asyncio.start_server(self._serve, "127.0.0.1", self.port, reuse_address=True)
        self.port = self.listener.sockets[0].getsockname()[1]

    def kill(self):
        """As SIGKILL: the listener and every connection are gone at once."""
        self.dead = True
        self.listener.close()
        for writer in self.connections:
            writer.transport.abort()

    async def _serve(self, reader, writer):
        self.connections.add(writer)
        try:
            while (head := await read_head(reader)) and not self.dead:
                await self._answer(*head, reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self.connections.discard(writer)
            writer.close()

    async def _answer(self, first, fields, reader, writer):
        request = fields.get("x-bench-id", "?")
        self.journal.arrived[request] += 1
        if fields.get("x-bench-app") != self.app or fields.get("host") != f"{self.app}.test" or self.dead:
            self.journal.misrouted.append(f"{request} for {fields.get('x-bench-app')} came to {self.app} {self.id}")
        body = await read_body(reader, fields)
        if first.startswith("POST") and not body.startswith(request.encode()):
            self.journal.misrouted.append(f"{request} came with another request's body")
        self.journal.complete[request] += 1
        text = f"{self.app} {self.id} {request}\n".encode()
        ways = {"quick": self._at_once, "slow": self._later, "stream": self._in_pieces}
        await ways.get(fields.get("x-bench-kind"), self._at_once)(writer, text)

    async def _at_once(self, writer, text):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(text) + text)
        await writer.drain()

    async def _later(self, writer, text):
        await asyncio.sleep(random.uniform(0.005, 0.12))
        await self._at_once(writer, text)

    async def _in_pieces(self, writer, text):
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for start in range(0, len(text), 20):
            piece = text[start:start + 20]
            writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            await writer.drain()
            await asyncio.sleep(0.01)
        writer.write(b"0\r\n\r\n")
        await writer.drain()


class Clients:
    """Sends requests at a rate, half of them on connections that are kept, and remembers what went wrong."""

    def __init__(self, port, rate, apps, seed, resend=False):
        self.resend = resend  # the test of the test: every 20th POST goes out a second time
        self.port, self.rate, self.apps, self.random = port, rate, apps, random.Random(seed)
        self.idle, self.tasks, self.numbers = [], set(), itertools.count(1)
        self.posts, self.lost, self.misrouted = [], [], []
        self.sent = self.kept = self.reused = 0
        self.stopping = asyncio.Event()

    async def run(self):
        """Until `stopping` is set; then waits for the last answers."""
        loop, start = asyncio.get_running_loop(), asyncio.get_running_loop().time()
        while not self.stopping.is_set():
            wait = start + self.sent / self.rate - loop.time()
            if wait > 0:
                await asyncio.sleep(wait)
            task = asyncio.create_task(self._request(next(self.numbers)))
            self.sent += 1
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)
        self.took = loop.time() - start
        await asyncio.gather(*self.tasks)
        for _, writer in self.idle:
            writer.close()

    async def _request(self, number):
        app = self.random.choices(self.apps, (3, 1))[0]
        name = f"request-{number:08d}-{app}"
        kept, post = self.random.random() < 0.5, self.random.random() < 0.1
        kind = self.random.choices(("quick", "slow", "stream"), (80, 15, 5))[0]
        body = (name + "z" * self.random.choice((0, 10, 3000, 40000))).encode() if post else b""
        if post:
            self.posts.append(name)
        head = f"{'POST' if post else 'GET'} /{name} HTTP/1.1\r\nHost: {app}.test\r\n"
        head += f"X-Bench-App: {app}\r\nX-Bench-Id: {name}\r\nX-Bench-Kind: {kind}\r\n"
        head += (f"Content-Length: {len(body)}\r\n" if post else "") + ("" if kept else "Connection: close\r\n")
        where = ""
        try:
            reader, writer, where = await self._connection(kept)
            writer.write(head.encode() + b"\r\n" + body)
            if self.resend and post and number % 20 == 0:
                await self._again(head.encode() + b"\r\n" + body)
            await asyncio.wait_for(self._check(reader, writer, app, name, kept), 30)
        except (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError, ValueError) as error:
            self.lost.append(f"{name} ({'POST' if post else 'GET'}, {kind}, {where}): {type(error).__name__} {error}")

    async def _again(self, request):
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(request)
        await reader.read(1)
        writer.close()

    async def _connection(self, kept):
        """A kept connection that the router has not closed, or a new one."""
        self.kept += kept
        while kept and self.idle:
            reader, writer = self.idle.pop()
            if not reader.at_eof() and not writer.is_closing():
                self.reused += 1
                return reader, writer, "reused connection"
            writer.close()
        return *await asyncio.open_connection("127.0.0.1", self.port), "new connection"

    async def _check(self, reader, writer, app, name, kept):
        head = await read_head(reader)
        if not head:
            writer.close()
            raise ConnectionError("closed without an answer")
        first, fields = head
        body = (await read_body(reader, fields)).decode("latin-1")
        if " 200 " not in first:
            self.lost.append(f"{name}: {first}")
        elif not (body.startswith(f"{app} ") and body.endswith(f" {name}\n")):
            self.misrouted.append(f"{name} was answered {body[:100]!r}")
        if kept and fields.get("connection", "").lower() != "close":
            self.idle.append((reader, writer))
        else:
            writer.close()
