"""The proxies that are compared. Each is one worker on the proxy core, keeps 64 upstream connections, speaks HTTP/1.1
to the backend, and adds X-Forwarded-For/Proto/Port/Host, X-Request-Id, X-Request-Start and Via (Forwarded too when paas
does). Where a peer cannot do the same, `NOTES` says what it does instead."""
import os
import resource
import socket
import subprocess

from . import router
from .load import exchange
from .process import Running, wait_until
from .server import FakeServer, app, endpoint

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


class Nginx(Proxy):
    name = "nginx"
    streams = """proxy_request_buffering off;
      proxy_max_temp_file_size 0;
      proxy_buffers 8 16k;
      proxy_busy_buffers_size 32k;"""

    def launch(self):
        log = "off"
        if self.logs:
            log = f"{self.log_file} router buffer=64k flush=1s"
        fields = ["Connection \"\"", "Host $http_host", "X-Forwarded-For $remote_addr", "X-Forwarded-Proto $scheme",
                  "X-Forwarded-Port $server_port", "X-Forwarded-Host $http_host", "X-Request-Id $id",
                  "X-Request-Start $msec", "Via \"1.1 nginx\""]
        if self.forwarded:
            fields.append('Forwarded "for=$remote_addr;host=$http_host;proto=$scheme"')
        headers = "\n      ".join(f"proxy_set_header {field};" for field in fields)
        configuration = self.write("nginx.conf", f"""
worker_processes 1;
daemon off;
pid {self.directory}/pid;
error_log stderr warn;
worker_rlimit_nofile 40000;
events {{ worker_connections 20000; }}
http {{
  client_body_temp_path {self.directory}/body;
  proxy_temp_path {self.directory}/proxy;
  fastcgi_temp_path {self.directory}/fastcgi;
  uwsgi_temp_path {self.directory}/uwsgi;
  scgi_temp_path {self.directory}/scgi;
  map $http_x_request_id $id {{ default $http_x_request_id; "" $request_id; }}
  log_format router 'at=info method=$request_method path="$request_uri" host=$http_host request_id=$id '
    'fwd="$remote_addr" dyno=web.1 connect=$upstream_connect_time service=$upstream_response_time status=$status '
    'bytes=$body_bytes_sent protocol=http';
  access_log {log};
  keepalive_timeout 300s;
  keepalive_requests 100000000;
  client_max_body_size 0;
  upstream app {{
    server 127.0.0.1:{self.backend.port};
    keepalive {self.bench.options.upstreams};
    keepalive_requests 100000000;
  }}
  server {{
    listen 127.0.0.1:{self.port} backlog=4096;
    server_name {" ".join(self.routes)};
    location = /bench-status {{ stub_status; access_log off; }}
    location / {{
      proxy_pass http://app;
      proxy_http_version 1.1;
      {self.streams}
      {headers}
    }}
  }}
}}
""")
        return self.run("nginx", "-c", configuration, "-p", self.directory, "-e", "stderr")


class NginxDefault(Nginx):
    name = "nginx-default"
    streams = ""


class HAProxy(Proxy):
    name = "haproxy"

    def launch(self):
        log, ring = "", ""
        if self.logs:
            log = ('log ring@file format raw local0\n  log-format "at=info method=%HM path=\\"%HP\\" '
                   'host=%[var(txn.host)] request_id=%[var(txn.id)] fwd=\\"%ci\\" dyno=%s connect=%Tc service=%Ta '
                   'status=%ST bytes=%B protocol=http"')
            ring = f"ring file\n  format raw\n  maxlen 1024\n  size 1048576\n  backing-file {self.log_file}\n"
        forwarded = ""
        if self.forwarded:
            forwarded = 'http-request set-header Forwarded "for=%[src];host=%[req.hdr(host)];proto=http"'
        configuration = self.write("haproxy.cfg", f"""
global
  nbthread 1
  maxconn {min(20000, resource.getrlimit(resource.RLIMIT_NOFILE)[1] // 2 - 100)}
  no insecure-fork-wanted
{ring}
defaults
  mode http
  timeout connect 5s
  timeout client 300s
  timeout server 300s
  timeout http-keep-alive 300s
  http-reuse always
frontend in
  bind 127.0.0.1:{self.port} backlog 4096
  {log}
  http-request set-var(txn.host) req.hdr(host)
  http-request set-header X-Request-Id %[uuid()] unless {{ req.hdr(x-request-id) -m found }}
  http-request set-var(txn.id) req.hdr(x-request-id)
  http-request set-header X-Forwarded-For %[src]
  http-request set-header X-Forwarded-Proto http
  http-request set-header X-Forwarded-Port %[dst_port]
  http-request set-header X-Forwarded-Host %[req.hdr(host)]
  http-request set-header X-Request-Start %Ts%ms
  http-request set-header Via "1.1 haproxy"
  {forwarded}
  default_backend app
backend app
  server web.1 127.0.0.1:{self.backend.port} pool-max-conn {self.bench.options.upstreams}
""")
        return self.run("haproxy", "-db", "-f", configuration)


class Caddy(Proxy):
    name = "caddy"

    def launch(self):
        log = f"log {{\n    output file {self.log_file} {{\n      roll_disabled\n    }}\n  }}" if self.logs else ""
        forwarded = ""
        if self.forwarded:
            forwarded = 'header_up Forwarded "for={http.request.remote.host};host={http.request.hostport};proto=http"'
        configuration = self.write("Caddyfile", f"""
{{
  admin off
  auto_https off
  persist_config off
  metrics
  log {{
    level ERROR
  }}
}}
http://:{self.port} {{
  bind 127.0.0.1
  {log}
  reverse_proxy 127.0.0.1:{self.backend.port} {{
    header_up X-Forwarded-Port {self.port}
    header_up X-Request-Id {{http.request.uuid}}
    header_up X-Request-Start {{time.now.unix_ms}}
    {forwarded}
    transport http {{
      versions 1.1
      compression off
      keepalive 300s
      keepalive_idle_conns {self.bench.options.upstreams}
      keepalive_idle_conns_per_host {self.bench.options.upstreams}
    }}
  }}
}}
""")
        return self.run(self.bench.peer("caddy"), "run", "--adapter", "caddyfile", "--config", configuration,
                        env={"GOMAXPROCS": "1", "HOME": self.directory, "PATH": os.environ["PATH"]})


class Traefik(Proxy):
    name = "traefik"

    def launch(self):
        forwarded = f'          Forwarded: "for=127.0.0.1;host={self.routes[0]};proto=http"' if self.forwarded else ""
        rule = " || ".join(f"Host(`{host}`)" for host in self.routes)
        dynamic = self.write("dynamic.yml", f"""
http:
  routers:
    app:
      rule: "{rule}"
      service: app
      middlewares: [fields]
  middlewares:
    fields:
      headers:
        customRequestHeaders:
          X-Request-Id: "0192f0c1-2222-7333-8444-555566667777"
          X-Request-Start: "1700000000000"
          Via: "1.1 traefik"
{forwarded}
  services:
    app:
      loadBalancer:
        serversTransport: kept
        servers:
          - url: "http://127.0.0.1:{self.backend.port}"
  serversTransports:
    kept:
      maxIdleConnsPerHost: {self.bench.options.upstreams}
""")
        log = f"accessLog:\n  filePath: {self.log_file}\n  bufferingSize: 1000" if self.logs else ""
        static = self.write("traefik.yml", f"""
global:
  checkNewVersion: false
  sendAnonymousUsage: false
log:
  level: ERROR
entryPoints:
  web:
    address: "127.0.0.1:{self.port}"
  metrics:
    address: "127.0.0.1:{free_port()}"
metrics:
  prometheus:
    entryPoint: metrics
providers:
  file:
    filename: {dynamic}
{log}
""")
        return self.run(self.bench.peer("traefik"), f"--configFile={static}",
                        env={"GOMAXPROCS": "1", "HOME": self.directory, "PATH": os.environ["PATH"]})


ALL = {kind.name: kind for kind in (Paas, Nginx, HAProxy, Caddy, Traefik)}


def version(bench, name):
    """One line that names the build."""
    command = {"nginx": ["nginx", "-v"], "haproxy": ["haproxy", "-v"], "caddy": [bench.peer("caddy"), "version"],
               "traefik": [bench.peer("traefik"), "version"], "wrk": ["wrk", "-v"],
               "paas": [bench.options.program, "--version"]}[name]
    ended = subprocess.run(command, capture_output=True, text=True)
    text = (ended.stdout or ended.stderr).strip()
    if name == "traefik":
        return "Traefik " + next(line.split()[-1] for line in text.splitlines() if line.startswith("Version"))
    return text.splitlines()[0][:60] if text else "?"
