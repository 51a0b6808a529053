"""What is measured. Each mode is a function of the bench that returns rows: (what, asked, got)."""
import os
import socket
import statistics
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from . import inputs
from .process import MemoryPeak, anonymous_bytes, settled_cpu_seconds

MIB = 1 << 20


def ratio(what, unit, ours, git, limit):
    """A row that compares medians, with all rounds shown as fastest – slowest."""
    def text(values):
        return f"{statistics.median(values):.2f} {unit} ({min(values):.2f} – {max(values):.2f})"
    quotient = statistics.median(ours) / max(statistics.median(git), 1e-9)
    return (what, f"≤ {limit} × git's", f"{quotient:.2f} ×: {text(ours)} against {text(git)}")


def limit(what, value, bound, unit, note=""):
    return (what, f"≤ {bound} {unit}", f"{value:.2f} {unit}" + (f"; {note}" if note else ""))


def alternate(bench, rounds, measure):
    """`measure(side, round)` for both sides, the first of them changing each round; {side: [results]}."""
    results = {"paas": [], "git": []}
    for number in range(rounds):
        sides = [bench.paas, bench.openssh]
        for side in sides if number % 2 == 0 else reversed(sides):
            os.sync()  # nobody pays for what the other left to write
            result = measure(side, number)
            bench.say(f"  round {number + 1}, {side.name}: {result}")
            results[side.name].append(result)
    return results


def timed(bench, side, *command):
    """(server CPU seconds, wall seconds) of one git command."""
    before = settled_cpu_seconds(side.pid)
    wall = bench.client.timed(*command)
    return round(settled_cpu_seconds(side.pid) - before, 2), round(wall, 3)


def big(bench):
    """The whole big history into an empty repository."""
    refs = inputs.as_tags(bench.client, bench.big)

    def measure(side, number):
        url = side.make(f"big-{number}")
        result = timed(bench, side, bench.big, "push", "-q", url, *refs)
        side.remove(f"big-{number}")
        return result

    got = alternate(bench, bench.options.rounds, measure)
    cpu, wall = ({name: [result[part] for result in results] for name, results in got.items()} for part in (0, 1))
    return [ratio("push of the big history: server CPU", "s", cpu["paas"], cpu["git"], 0.85),
            ratio("push of the big history: wall", "s", wall["paas"], wall["git"], 0.85)]


def seeded(bench):
    """The big history in the repository `seed` of both sides: {side: url}. Pushed once and kept for later modes."""
    if bench.seeds is None:
        refs = inputs.as_tags(bench.client, bench.big)
        bench.seeds = {}
        for side in (bench.paas, bench.openssh):
            bench.seeds[side.name] = side.make("seed")
            bench.client.git(bench.big, "push", "-q", bench.seeds[side.name], *refs)
    return bench.seeds


def one(bench):
    """One commit at a time, as a tag, to a repository that holds the big history."""
    urls = seeded(bench)
    work = inputs.borrow(bench.client, bench.big, f"{bench.scratch}/one.git")
    parent, commits = inputs.tip(bench.client, work), []
    for number in range(bench.options.pushes + 1):
        data = f"round {number} of {os.getpid()}\n".encode()
        parent = inputs.commit_on(bench.client, work, parent, {"src/one.txt": data}, f"{bench.scratch}/one.index")
        commits.append(parent)

    def measure(side, number):
        return round(bench.client.timed(work, "push", "-q", urls[side.name], f"{commits[number]}:refs/tags/one/{number}"), 3)

    got = alternate(bench, len(commits), measure)
    return [ratio("one-commit push to it: wall", "s", got["paas"][1:], got["git"][1:], 0.7)]  # the first warms up


def memory(bench):
    """The big history and a commit with two blobs of 100 MB."""
    work = inputs.borrow(bench.client, bench.big, f"{bench.scratch}/memory.git")
    commit = inputs.commit_on(
        bench.client, work, inputs.tip(bench.client, work), inputs.big_blobs(), f"{bench.scratch}/memory.index")
    refs = inputs.as_tags(bench.client, bench.big) + [f"{commit}:refs/tags/bench/large-blobs"]
    url = bench.paas.make("memory")
    bench.paas.restart_receiver()
    with MemoryPeak(bench.paas.receiver) as peak:
        bench.client.git(work, "push", "-q", url, *refs)
    bench.paas.remove("memory")
    rows = [limit("peak RssAnon of the receiver in such a push with two 100 MB blobs", peak.anonymous / MIB, 120, "MiB")]
    if peak.cgroup:
        return rows + [limit("the same, cgroup peak less file cache", peak.group / MIB, 120, "MiB")]
    return rows + [("the same, cgroup peak less file cache", "≤ 120 MiB", "not measured: no writable memory cgroup v1")]


class IdleSessions:
    """Authenticated sessions that ask for nothing. One that the server ends is opened again."""

    def __init__(self, bench, count):
        self.bench, self.count, self.clients = bench, count, []

    def __enter__(self):
        with ThreadPoolExecutor(8) as pool:  # below what one address may have waiting for its login
            self.clients = list(pool.map(lambda _: self.open(), range(self.count)))
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._keep, daemon=True)
        self.thread.start()
        return self

    def open(self):
        options = self.bench.client.options("SessionType=none", "PermitLocalCommand=yes", "LocalCommand=echo in")
        process = subprocess.Popen(
            ["ssh", *options, "-p", str(self.bench.paas.port), "paas@127.0.0.1"], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        if process.stdout.readline() != b"in\n":  # ssh runs LocalCommand once it is logged in
            sys.exit("git-receive: an idle session cannot log in")
        return process

    def _keep(self):
        while not self.stopping.wait(1):
            for index, client in enumerate(self.clients):
                if client.poll() is not None and not self.stopping.is_set():
                    self.clients[index] = self.open()

    @property
    def living(self):
        return sum(client.poll() is None for client in self.clients)

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join()
        for client in self.clients:
            client.kill()
            client.wait()
            client.stdout.close()


def idle(bench):
    """What an idle authenticated session holds."""
    count = 200
    bench.paas.restart_receiver()
    with IdleSessions(bench, 4):  # first use of everything
        pass
    receiver = bench.paas.receiver
    before = anonymous_bytes(receiver)
    with IdleSessions(bench, count) as sessions:
        time.sleep(2)
        held, living = anonymous_bytes(receiver) - before, sessions.living
    return [limit("an idle authenticated session: RssAnon", held / living / 1e6, 0.35, "MB", f"{living} sessions")]


def many(bench):
    """Twenty pushes at once, with two hundred sessions that do nothing."""
    pushes = 20
    urls = [bench.paas.make(f"many-{number}") for number in range(pushes)]
    refs = inputs.as_tags(bench.client, bench.medium)
    bench.paas.restart_receiver()

    def push(url):
        return subprocess.run(["git", "-C", bench.medium, "push", "-q", url, *refs], capture_output=True,
                              env=bench.client.environment())

    with IdleSessions(bench, 200), MemoryPeak(bench.paas.receiver) as peak, ThreadPoolExecutor(pushes) as pool:
        start = time.monotonic()
        ended = list(pool.map(push, urls))
        wall = time.monotonic() - start
    passed = [result for result in ended if result.returncode == 0]
    for result in ended:
        if result.returncode != 0:
            bench.say(result.stderr.decode(errors="replace"))
    checked = [path for path in bench.paas.repositories() if bench.has_all(path, refs)]
    clean = [path for path in checked if subprocess.run(
        ["git", "-C", path, "-c", "safe.directory=*", "fsck", "--full", "--strict", "--no-dangling"],
        capture_output=True).returncode == 0]
    for number in range(pushes):
        bench.paas.remove(f"many-{number}")
    return [(f"{pushes} medium pushes at once with 200 idle sessions", f"{pushes} pass",
             f"{len(passed)} pass in {wall:.1f} s"),
            ("`git fsck --strict` of their repositories", f"{pushes} clean", f"{len(clean)} clean of {len(checked)}"),
            limit("receiver's peak RssAnon then", peak.anonymous / MIB, 700, "MiB"),
            limit("the same, cgroup peak less file cache", peak.group / MIB, 700, "MiB")]


def thin(bench):
    """A commit that changes 50,000 files: a thin pack of 50,000 deltas whose bases the receiver has."""
    work = inputs.fifty_thousand(bench.client, f"{bench.scratch}/thin.git")

    def measure(side, number):
        url = side.make(f"thin-{number}")
        bench.client.git(work, "push", "-q", url, "base:refs/tags/base")
        result = timed(bench, side, work, "push", "-q", "--thin", url, "next:refs/tags/next")
        side.remove(f"thin-{number}")
        return result

    got = alternate(bench, bench.options.rounds, measure)
    cpu, wall = ({name: [result[part] for result in results] for name, results in got.items()} for part in (0, 1))
    return [ratio("thin pack on 50,000 bases: server CPU", "s", cpu["paas"], cpu["git"], 2),
            ratio("thin pack on 50,000 bases: wall", "s", wall["paas"], wall["git"], 2)]


def clone(bench):
    """A full clone of the big history."""
    urls = seeded(bench)
    target = f"{bench.scratch}/cloned.git"

    def measure(side, _):
        result = timed(bench, side, bench.scratch, "clone", "-q", "--mirror", urls[side.name], target)
        subprocess.run(["rm", "-rf", target], check=True)
        return result

    got = alternate(bench, bench.options.rounds, measure)
    return [ratio("full clone: server CPU", "s", *([result[0] for result in got[name]] for name in ("paas", "git")), 2),
            ratio("full clone: wall", "s", *([result[1] for result in got[name]] for name in ("paas", "git")), 2)]


def flood(bench):
    """Idle connections from one address, good logins from another."""
    sockets = []
    for _ in range(1000):
        connection = socket.socket()
        connection.bind(("127.0.0.1", 0))
        connection.connect(("127.0.0.1", bench.paas.port))
        sockets.append(connection)
    seconds = []
    for _ in range(10):
        start = time.monotonic()
        ended = subprocess.run(
            ["ssh", *bench.client.options("BindAddress=127.0.0.2", "ConnectTimeout=10"), "-p", str(bench.paas.port),
             "paas@127.0.0.1", "help"], capture_output=True, stdin=subprocess.DEVNULL)
        if ended.returncode == 0:
            seconds.append(time.monotonic() - start)
    for connection in sockets:
        connection.close()
    good = [value for value in seconds if value < 2]
    slowest = f", the slowest in {max(seconds):.2f} s" if seconds else ""
    return [("logins from another address during 1,000 idle connections", "10 of 10 in < 2 s",
             f"{len(good)} of 10{slowest}")]


ALL = {function.__name__: function for function in (big, one, memory, many, idle, thin, clone, flood)}
