"""A running proxy, and the one under test."""
import os
import socket

from . import router
from .load import exchange
from .process import Running, wait_until
from .server import FakeServer, app, endpoint


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Proxy:
    """A running proxy. `routes` are host names, all served by the backend."""

    name = None

    def __init__(self, bench, backend, logs=False, routes=("app.test",), forwarded=False, label=None, **more):
        self.bench, self.backend, self.logs, self.routes, self.forwarded = bench, backend, logs, routes, forwarded
        self.label, self.more = label or self.name, more
        self.port = free_port()
        bench.count += 1
        self.directory = f"{bench.scratch}/{bench.count}-{self.label}"
        os.mkdir(self.directory)
        os.chmod(self.directory, 0o777)  # the proxies run as nobody
        self.log_file = f"{self.directory}/access.log"
        self.running = self.launch()
        try:
            wait_until(self._answers, f"{self.label} answers")
        except RuntimeError as error:
            words = self.running.last_words()
            self.stop()
            raise RuntimeError(f"{error}\n{words}") from None

    def run(self, *command, **options):
        return Running(command, self.bench.proxy_core, self.directory, self.label, urgent=self.bench.options.urgent,
                       unprivileged=True, **options)

    def write(self, name, text):
        path = f"{self.directory}/{name}"
        with open(path, "w") as file:
            file.write(text)
        os.chmod(path, 0o644)
        return path

    def _answers(self):
        if self.running.process.poll() is not None:
            raise RuntimeError(f"{self.label} ended by itself")
        try:
            return " 200 " in exchange(self.port, "/", self.routes[0])[0].split("\r\n")[0]
        except OSError:
            return False

    def cpu(self):
        return self.running.cpu()

    def added(self):
        """The fields of a plain request that the backend sees, lower case, Host left out."""
        lines = exchange(self.port, "/echo", self.routes[0])[1].split("\r\n")[1:]
        fields = {line.split(":")[0].lower(): line.partition(": ")[2] for line in lines if ":" in line}
        return {name: value for name, value in fields.items() if name != "host"}

    def stop(self):
        self.running.stop()


class Paas(Proxy):
    """`paas router` as the server starts it: descriptors, socket and table come from it. `more` may name another
    `program`, the `threads` (1; None: its default) and the `apps` of the table."""

    name = "paas"

    def launch(self):
        program, threads = self.more.get("program", self.bench.options.program), self.more.get("threads", 1)
        apps = self.more.get("apps") or [
            app(f"bench-{number}", [host], [endpoint(self.backend.port)], logs=self.logs)
            for number, host in enumerate(self.routes)]
        log = open(self.log_file, "ab", buffering=1 << 16) if self.logs else None
        self.server = FakeServer(router.socket_path(self.directory), apps, log=log)
        self.bench.wait(self.server.start())
        return router.start(program, self.directory, self.port, threads, core=self.bench.proxy_core, name=self.label,
                            urgent=self.bench.options.urgent)

    def stop(self):
        super().stop()
        self.bench.wait(self.server.stop())
