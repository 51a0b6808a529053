"""What is measured. Each row is a function of the bench that returns results: one per figure and proxy."""
import os
import socket
import statistics
import sys
import time

from . import load, peers, process, proxies
from .rounds import Result, cpu_results, interleaved
from .tables import routes, update

SMALL_HOST = "app.test"


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
        if isinstance(side, proxies.Paas):
            side.server.log.flush()
            asked = sum(figures[side.label]["requests"])
            bench.say(f"  {side.label}: {side.server.lines} lines arrived, of {asked} requests and a warm-up")
            if side.server.lines < 0.99 * asked:
                bench.problems.append(f"logs: {side.label} delivered {side.server.lines} lines for {asked} requests")
        bench.say(f"  {side.label}: {os.path.getsize(side.log_file) >> 20} MiB of log")
        with open(side.log_file, "rb") as file:
            lines = file.read(1 << 20).count(b"GET")
        if lines < 100:
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
                raise RuntimeError(f"{side.label}: {mine} connections for {outcome.requests} requests")
            return outcome
        return cpu_results("CPU, a new connection per request", interleaved(bench, sides, run), {"nginx": 1.3})


def with_default_nginx(bench):
    return bench.kinds + ([(peers.NginxDefault, {})] if "nginx" in bench.options.proxies else [])


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


def hold(bench):
    """Starts the backend and the proxies, says where they are, and waits for the end of stdin: for perf and strace."""
    with bench.started(bench.kinds) as sides:
        for side in sides:
            print(f"{side.label}: http://127.0.0.1:{side.port}/ Host: {SMALL_HOST}, pid {side.running.pid}", flush=True)
        sys.stdin.read()
    return []


ALL = {row.__name__: row for row in (keepalive, logs, many, fresh, down, up, p99, memory, routes, update)}
