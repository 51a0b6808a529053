"""Rows about large routing tables: what a lookup costs in one, and how long a change takes."""
import statistics
import threading
import time

from . import load, proxies
from .rounds import Result, cpu_results, interleaved
from .server import app, endpoint

SMALL_HOST = "app.test"


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
                                   {few.label: 1.05})
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
