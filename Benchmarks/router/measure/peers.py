"""nginx, haproxy, Caddy and Traefik with settings that are fair to all; what differs is said in proxies.NOTES."""
import os
import resource

from .proxy import Proxy, free_port


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
