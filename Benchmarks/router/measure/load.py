"""Load: wrk, the paced client, the backend; compiled when needed."""
import json
import os
import re
import shutil
import socket
import subprocess

from .process import Running, prefer, real_time

NATIVE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "native")
UNITS = {"us": 1, "ms": 1000, "s": 1_000_000, "m": 60_000_000}


def compiled(name, scratch):
    """The path of native/NAME.c, compiled into the scratch directory."""
    target = f"{scratch}/{name}"
    if not os.path.exists(target):
        compiler = next((path for path in map(shutil.which, ("cc", "gcc", "clang")) if path), None)
        if not compiler:
            raise SystemExit("bench: no C compiler; install: apt-get install gcc")
        subprocess.run([compiler, "-O2", "-o", target, f"{NATIVE}/{name}.c"], check=True)
        os.chmod(target, 0o755)
    return target


class Backend:
    """native/backend.c on the core of the load generator."""

    def __init__(self, bench):
        self.running = Running([compiled("backend", bench.scratch)], bench.load_core, bench.scratch, "backend",
                               urgent=bench.options.urgent, stdout=subprocess.PIPE)
        self.port = int(self.running.process.stdout.readline())

    def stats(self):
        return json.loads(exchange(self.port, "/stats", headers="")[1])

    def stop(self):
        self.running.stop()


def exchange(port, path, host="app.test", headers="Connection: close\r\n"):
    """One request on a connection of its own: (head, body). Reads to the end, which proves that it comes."""
    with socket.create_connection(("127.0.0.1", port), 10) as client:
        client.settimeout(10)
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n".encode())
        answer = b""
        while piece := client.recv(65536):
            answer += piece
            head, found, body = answer.partition(b"\r\n\r\n")
            length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
            if "close" not in headers and found and length and len(body) >= int(length[1]):
                break
    head, _, body = answer.partition(b"\r\n\r\n")
    return head.decode("latin-1"), body.decode("latin-1")


class Outcome:
    """What one run of a load generator did."""

    def __init__(self, requests, seconds, errors, latency):
        self.requests, self.seconds, self.errors, self.latency = requests, seconds, errors, latency


def _micros(text):
    number, unit = re.fullmatch(r"([\d.]+)([a-z]+)", text).groups()
    return float(number) * UNITS[unit]


def wrk(bench, port, seconds, connections=64, path="/", host="app.test", headers=(), script=None, arguments=()):
    """Runs wrk with one thread; counts what it completed, and everything that was not a 2xx or 3xx as an error."""
    command = ["taskset", "-c", str(bench.load_core), "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency",
               "--timeout", "10s", "-H", f"Host: {host}"]
    command += [word for header in headers for word in ("-H", header)]
    command += ["-s", f"{NATIVE}/{script}"] if script else []
    command += [f"http://127.0.0.1:{port}{path}"] + (["--", *arguments] if arguments else [])
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
    if bench.options.urgent:
        prefer(process.pid)
    text = process.communicate()[0].decode()
    found = re.search(r"(\d+) requests in ([\d.]+)(m?s)", text)
    if process.returncode != 0 or not found:
        raise RuntimeError(f"wrk failed: {text[-500:]}")
    bad = sum(int(number) for number in re.findall(r"(?:connect|read|write|timeout) (\d+)", text))
    bad += sum(int(number) for number in re.findall(r"Non-2xx or 3xx responses: (\d+)", text))
    latency = {f"p{share}": _micros(value) for share, value in re.findall(r"^ +(\d+)% +([\d.]+\w+)$", text, re.M)}
    return Outcome(int(found[1]), float(found[2]) / (1000 if found[3] == "ms" else 1), bad, latency)


def paced(bench, port, seconds, rate, connections=64, host="app.test"):
    """A fixed rate; see native/paced.c."""
    command = ["taskset", "-c", str(bench.load_core), compiled("paced", bench.scratch), str(port), host,
               str(connections), str(rate), str(seconds)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
    if bench.real_time:
        real_time(process.pid, True)
    elif bench.options.urgent:
        prefer(process.pid)
    text, words = process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"paced failed: {words.decode()}")
    got = json.loads(text)
    return Outcome(got["requests"], seconds, got["errors"] + got["unanswered"], got)
