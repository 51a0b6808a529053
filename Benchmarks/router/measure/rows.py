"""What is measured. Each row is a function of the bench that returns results: one per figure and proxy."""
import os
import socket
import statistics
import threading
import time

from . import load, process, proxies
from .server import app, endpoint

SMALL_HOST = "app.test"


class Result:
    """One figure of one proxy: a value per round. Lower is better."""

    def __init__(self, row, label, unit, values, bounds=None, **notes):
        self.row, self.label, self.unit, self.values = row, label, unit, values
        self.bounds = bounds or {}  # what paas may cost: {peer: factor}, or {"": absolute}
        self.notes = notes

    @property
    def median(self):
        return statistics.median(self.values)

    def as_json(self):
        return {"row": self.row, "proxy": self.label, "unit": self.unit, "median": self.median, "min": min(self.values),
                "max": max(self.values), "values": self.values, "bounds": self.bounds, **self.notes}


def interleaved(bench, sides, run, warm=True):
    """`run(side)` → Outcome, round after round, the first of them changing; per label: µs of CPU and what else there
    is to say. A round with errors is counted and said."""
    kept = ("cpu", "rate", "busy", "p99", "upstream", "requests")
    figures = {side.label: {"errors": 0, **{name: [] for name in kept}} for side in sides}
    if warm:
        for side in sides:
            bench.warming = True
            run(side)
        bench.warming = False
    for number in range(bench.rounds):
        turn = number % len(sides)
        for side in sides[turn:] + sides[:turn]:
            opened, before, start = side.backend.stats()["connections"], side.cpu(), time.monotonic()
            outcome = run(side)
            spent, wall = side.cpu() - before, time.monotonic() - start
            opened = side.backend.stats()["connections"] - opened - 1
            mine = figures[side.label]
            if not outcome.requests:
                raise RuntimeError(f"{side.label}: no request was completed")
            mine["cpu"].append(round(spent / 1000 / outcome.requests, 2))
            mine["rate"].append(round(outcome.requests / outcome.seconds))
            mine["busy"].append(round(spent / 1e9 / wall, 2))
            mine["upstream"].append(round(opened / outcome.requests, 4))
            mine["errors"] += outcome.errors
            mine["requests"].append(outcome.requests)
            if "p99" in outcome.latency:
                mine["p99"].append(outcome.latency["p99"])
            bench.say(f"  round {number + 1}, {side.label}: {mine['cpu'][-1]} µs, {mine['rate'][-1]}/s, "
                      f"busy {mine['busy'][-1]}, new upstream connections per request {mine['upstream'][-1]}"
                      + (f", {outcome.errors} ERRORS" if outcome.errors else ""))
    return figures


def cpu_results(row, figures, bounds):
    results = []
    for label, mine in figures.items():
        notes = {key: statistics.median(mine[key]) for key in ("rate", "busy", "upstream", "p99") if mine[key]}
        results.append(Result(row, label, "µs", mine["cpu"], bounds, errors=mine["errors"], **notes))
    return results


def cpu_row(bench, row, bounds, logs=False, kinds=None, **wrk):
    with bench.started(kinds or bench.kinds, logs=logs) as sides:
        figures = interleaved(bench, sides, lambda side: load.wrk(bench, side.port, bench.seconds, **wrk))
        if logs:
            figures = with_logs_checked(bench, sides, figures)
        return cpu_results(row, figures, bounds)


def with_logs_checked(bench, sides, figures):
    """A proxy that wrote no log must not win by it."""
    time.sleep(2)
    for side in sides:
        written = os.path.getsize(side.log_file) if os.path.exists(side.log_file) else 0
        if isinstance(side, proxies.Paas):
            side.server.log.flush()
            written = os.path.getsize(side.log_file)
            asked = sum(figures[side.label]["requests"])
            bench.say(f"  {side.label}: {side.server.lines} lines reached the server, of {asked} requests and a warm-up")
            if side.server.lines < 0.99 * asked:
                bench.problems.append(f"logs: {side.label} delivered {side.server.lines} lines for {asked} requests")
        bench.say(f"  {side.label}: {written >> 20} MiB of log")
        if written < 10_000:
            raise RuntimeError(f"{side.label} wrote no access log")
    return figures


def keepalive(bench):
    """64 keep-alive connections, 1 KB, logs off."""
    return cpu_row(bench, "CPU, 64 keep-alive connections, 1 KB, logs off",
                   {"nginx": 1.0, "caddy": 0.25, "traefik": 0.33})


def logs(bench):
    """The same with access logs on everywhere."""
    return cpu_row(bench, "CPU, the same, logs on", {"nginx": 1.05}, logs=True)


def many(bench):
    """512 keep-alive connections, 1 KB."""
    return cpu_row(bench, "CPU, 512 keep-alive connections", {"nginx": 1.05}, connections=512)


def fresh(bench):
    """A new connection for each request."""
    def opened():
        with open("/proc/net/snmp") as file:
            return int([line for line in file if line.startswith("Tcp:")][1].split()[5])

    with bench.started(bench.kinds) as sides:
        for side in sides:
            load.exchange(side.port, "/", SMALL_HOST)  # ends only when the proxy closes

        def run(side):
            connects, upstream = opened(), side.backend.stats()["connections"]
            outcome = load.wrk(bench, side.port, bench.seconds, headers=["Connection: close"])
            mine = opened() - connects - (side.backend.stats()["connections"] - upstream)
            if mine < 0.98 * outcome.requests:
                raise RuntimeError(f"{side.label}: {mine} connections for {outcome.requests} requests: not one for each")
            return outcome
        return cpu_results("CPU, a new connection per request", interleaved(bench, sides, run), {"nginx": 1.3})


def with_default_nginx(bench):
    return bench.kinds + ([proxies.NginxDefault] if proxies.Nginx in bench.kinds else [])


def down(bench):
    """Answers of 1 MB, 16 connections; nginx tuned for it, and beside it as it is by default."""
    return cpu_row(bench, "CPU, 1 MB down", {"nginx": 0.95, "nginx-default": 0.95}, kinds=with_default_nginx(bench),
                   path="/1m", connections=16)


def up(bench):
    """Requests of 1 MB, 16 connections; nginx streams them, and beside it one that spools them as by default."""
    return cpu_row(bench, "CPU, 1 MB up", {"nginx": 0.7, "nginx-default": 0.7}, kinds=with_default_nginx(bench),
                   script="upload.lua", connections=16)


def p99(bench):
    """Time to answer at 64 connections: closed loop (wrk), and at fixed rates (native/paced.c)."""
    results = []
    with bench.started(bench.kinds) as sides:
        figures = interleaved(bench, sides, lambda side: load.wrk(bench, side.port, bench.seconds))
        for label, mine in figures.items():
            results.append(Result("p99, 64 connections as fast as they can (wrk)", label, "µs", mine["p99"],
                                  {"nginx": 1.1}, rate=statistics.median(mine["rate"]), errors=mine["errors"]))
        for rate in bench.options.rates:
            # Above its own rate nothing but the queue would be measured.
            able = [side for side in sides if statistics.median(figures[side.label]["rate"]) > 1.3 * rate]
            for side in sides:
                if side not in able:
                    bench.say(f"  {side.label} does not reach {rate}/s with room to spare and is left out")
            if not able:
                continue
            with bench.first_in_line(able):
                got = interleaved(bench, able, lambda side: load.paced(bench, side.port, bench.seconds, rate))
            for label, mine in got.items():
                results.append(Result(f"p99, 64 connections, {rate}/s", label, "µs", mine["p99"], {"nginx": 1.1},
                                      errors=mine["errors"], cpu=statistics.median(mine["cpu"])))
    return results


class IdleConnections:
    """Keep-alive connections that did one request each and then wait."""

    def __init__(self, port, count):
        self.sockets = []
        for _ in range(count):
            client = socket.create_connection(("127.0.0.1", port), 10)
            self.sockets.append(client)
            client.sendall(f"GET / HTTP/1.1\r\nHost: {SMALL_HOST}\r\n\r\n".encode())
            length = 0
            while length < 1024:
                piece = client.recv(65536)
                if not piece:
                    raise RuntimeError("the proxy closed an idle connection")
                length += len(piece)

    def alive(self):
        """Connections that were not closed behind our back."""
        count = 0
        for client in self.sockets:
            client.setblocking(False)
            try:
                count += bool(client.recv(1))
            except BlockingIOError:
                count += 1
        return count

    def close(self):
        for client in self.sockets:
            client.close()


def memory(bench):
    """Memory at rest, and per idle keep-alive connection. paas runs its default number of loops here."""
    results, count = [], 500 if bench.options.quick else 5000
    for kind in bench.kinds:
        base, each, rss = [], [], []
        for _ in range(1 if bench.options.quick else 3):
            with bench.started([kind], threads=None) as (side,):
                time.sleep(1)
                before = process.memory(side.running.pid)
                idle = IdleConnections(side.port, count)
                time.sleep(3)
                after, alive = process.memory(side.running.pid), idle.alive()
                idle.close()
                if alive < count:
                    raise RuntimeError(f"{side.label} closed {count - alive} of {count} idle connections")
                base.append(round(before["Pss"] / (1 << 20), 2))
                each.append(round((after["Pss"] - before["Pss"]) / 1024 / count, 3))
                rss.append(round((after["Rss"] - before["Rss"]) / 1024 / count, 3))
                label = side.label
        bench.say(f"  {label}: base {base} MB PSS, {each} KiB per connection (PSS), {rss} (RSS)")
        results += [Result(f"memory per idle connection ({count})", label, "KiB", each, {"": 5},
                           rss=statistics.median(rss)),
                    Result("base PSS", label, "MB", base, {"": 16})]
    return results


def many_apps(backend, count, hosts):
    """`count` apps, those named `hosts` spread among them, all served by the backend."""
    step = max(1, count // len(hosts))
    named = {index * step: host for index, host in enumerate(hosts)}
    return [app(f"bench-{number}", [named.get(number, f"bench-{number}.test")], [endpoint(backend.port)], logs=False)
            for number in range(count)]


def routes(bench):
    """CPU per request with few and with 10,000 apps in the table, asked for one host and for 16 in turn."""
    sixteen = [f"host-{number}.test" for number in range(16)]
    backend = load.Backend(bench)
    sides, results = [], []
    try:
        for hosts in ([SMALL_HOST], sixteen):
            for count in (len(hosts), bench.options.apps):
                sides.append(proxies.Paas(bench, backend, routes=hosts, apps=many_apps(backend, count, hosts),
                                          label=f"paas, {count} apps, {len(hosts)} asked for"))
        figures = interleaved(bench, sides, lambda side: load.wrk(
            bench, side.port, bench.seconds, script="hosts.lua", arguments=side.routes))
        for few, all_of_them in (sides[:2], sides[2:]):
            pair = {side.label: figures[side.label] for side in (few, all_of_them)}
            results += cpu_results(f"CPU, few and {bench.options.apps} routes, {len(few.routes)} asked for", pair,
                                   {few.label: 1.03})
    finally:
        for side in sides:
            side.stop()
        backend.stop()
    return results


class Updates:
    """Changes one app of a large table again and again, and takes the time until the router has reported it."""

    def __init__(self, bench, side, backend):
        self.bench, self.side, self.backend = bench, side, backend

    def once(self, number):
        server = self.side.server
        apps = server.table["apps"]
        changed = apps[(number * 7919) % len(apps)]
        changed = changed | {"endpoints": [endpoint(self.backend.port)]}
        generation = self.bench.wait(server.change([changed]))
        self.bench.wait(server.acknowledged(generation))
        for host in (changed["hosts"][0], apps[(number * 7919 + 1) % len(apps)]["hosts"][0]):
            head = load.exchange(self.side.port, "/", host)[0]
            if " 200 " not in head.split("\r\n")[0]:
                raise LookupError(f"{host} is not routed any more: {head.splitlines()[0]}")
        return (server.reported[generation] - server.sent[generation]) * 1000

    def run(self, count):
        """Milliseconds of each update, and milliseconds of CPU per update (idle router)."""
        before = self.side.cpu()
        times = [round(self.once(number), 2) for number in range(count)]
        return times, (self.side.cpu() - before) / 1e6 / count


def update(bench):
    """Time from the sending of a changed route to the report that it is in force, 10,000 apps in the table."""
    backend, results = load.Backend(bench), []
    count, apps = (5 if bench.options.quick else 50), bench.options.apps
    try:
        for deltas in (True, False):
            how = "a difference" if deltas else "the whole table"
            side = proxies.Paas(bench, backend, apps=many_apps(backend, apps, [SMALL_HOST]))
            try:
                side.server.deltas = deltas
                updates = Updates(bench, side, backend)
                times, cpu = updates.run(count)
                results.append(Result(f"table update, {apps} routes, {how}, at rest", "paas", "ms", times,
                                      {"": 10} if deltas else {}, cpu=round(cpu, 2)))
                bench.say(f"  {how}: {statistics.median(times)} ms, at most {max(times)} ms, {cpu:.1f} ms of CPU")
                if deltas:
                    results.append(under_load(bench, side, updates, 4 * count))
            except LookupError as error:
                bench.problems.append(f"update: {how} is not understood by this router: {error}")
                bench.say("  " + bench.problems[-1])
            finally:
                side.stop()
    finally:
        backend.stop()
    return results


def under_load(bench, side, updates, count):
    """The same while 64 connections keep the router busy; what they wait at most is said."""
    ended = []
    thread = threading.Thread(target=lambda: ended.append(load.wrk(bench, side.port, max(3, bench.seconds))))
    thread.start()
    time.sleep(0.5)
    times = []
    while thread.is_alive() and len(times) < count:
        times.append(round(updates.once(len(times)), 2))
    thread.join()
    bench.say(f"  under load: {statistics.median(times)} ms, at most {max(times)} ms; "
              f"requests' p99 {ended[0].latency.get('p99')} µs, errors {ended[0].errors}")
    return Result(f"table update, {bench.options.apps} routes, a difference, under load", "paas", "ms", times, {"": 10},
                  p99=ended[0].latency.get("p99"), errors=ended[0].errors)


ALL = {row.__name__: row for row in (keepalive, logs, many, fresh, down, up, p99, memory, routes, update)}
