"""The proxies that are compared. Each is one worker on the proxy core, keeps 64 upstream connections, speaks HTTP/1.1
to the backend, and adds X-Forwarded-For/Proto/Port/Host, X-Request-Id, X-Request-Start and Via (Forwarded too when paas
does). Where a peer cannot do the same, `NOTES` says what it does instead."""
import subprocess

from .peers import Caddy, HAProxy, Nginx, Traefik
from .proxy import Paas

NOTES = {
    "paas": "counters per app and instance; log lines go to the server's socket in batches, whose reader appends them "
            "to a file on the load core",
    "nginx": "counters for the whole process (stub_status); log buffered 64 KB, flushed every second; request bodies "
             "are streamed, answers are never spooled to disk and have buffers of 16 KB; its table of 20,000 "
             "connections is in its base memory",
    "nginx-default": "as nginx, with its defaults for bodies: requests are spooled to a file before it connects, "
                     "answers have buffers of 4 KB and then a file",
    "haproxy": "counters per frontend, backend and server; http-reuse always, as the others reuse; log to a ring "
               "backed by a file (its cheapest file log)",
    "caddy": "prometheus metrics on; log is JSON, one write per line (it has no buffer)",
    "traefik": "prometheus metrics on; log buffered 1,000 lines; X-Request-Id, X-Request-Start and Via are constants: "
               "it cannot make them; it adds Accept-Encoding, X-Real-Ip and X-Forwarded-Server",
}

ALL = {kind.name: kind for kind in (Paas, Nginx, HAProxy, Caddy, Traefik)}


def version(bench, name):
    """What the program calls itself."""
    program, argument = {"nginx": ("nginx", "-v"), "haproxy": ("haproxy", "-v"), "wrk": ("wrk", "-v"),
                         "caddy": (None, "version"), "traefik": (None, "version"),
                         "paas": (bench.options.program, "--version")}[name]
    ended = subprocess.run([program or bench.peer(name), argument], capture_output=True, text=True)
    lines = (ended.stdout or ended.stderr).strip().splitlines() or ["?"]
    line = next((line.split()[-1] for line in lines if line.startswith("Version:")), lines[0])
    for noise in (" - ", " h1:", " [", "nginx version: nginx/", "HAProxy version ", "wrk "):
        line = line.split(noise)[1 if line.startswith(noise) else 0]
    return f"{name} {line}"
