"""The two sides of each comparison: a `paas server` of its own, and OpenSSH's sshd with git's programs."""
import getpass
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

CIPHER = "aes128-gcm@openssh.com"
QUIET = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def greets(port):
    """Whether an SSH server speaks on the port."""
    try:
        with socket.create_connection(("127.0.0.1", port), 5) as probe:
            return probe.recv(4) == b"SSH-"
    except OSError:
        return False


class GitFailed(Exception):
    """A git command of the client did not succeed; the text is its stderr."""


class Client:
    """A stock git and ssh with a key of their own, and nobody's configuration."""

    def __init__(self, scratch):
        self.key = f"{scratch}/key"
        self.known_hosts = f"{scratch}/known_hosts"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.key], check=True)

    def options(self, *more):
        values = [f"Ciphers={CIPHER}", "IdentitiesOnly=yes", "IdentityAgent=none", "StrictHostKeyChecking=accept-new",
                  f"UserKnownHostsFile={self.known_hosts}", "LogLevel=ERROR", *more]
        return ["-F", "none", "-i", self.key] + [word for value in values for word in ("-o", value)]

    def environment(self):
        who = {f"GIT_{role}_{what}": "bench@localhost" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        return {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LANG": "C.UTF-8", "GIT_CONFIG_NOSYSTEM": "1",
                "GIT_SSH_COMMAND": " ".join(["ssh", *self.options()]), **who}

    def git(self, repository, *arguments, **options):
        """Runs git; returns its stdout. A failure ends the benchmark with git's words."""
        ended = subprocess.run(["git", "-C", repository, *arguments], env={**self.environment(), **options.pop("env", {})},
                               capture_output=True, **options)
        if ended.returncode != 0:
            raise GitFailed(f"git {' '.join(arguments[:3])}: exit {ended.returncode}: "
                            + ended.stderr.decode(errors="replace").strip())
        return ended.stdout

    def timed(self, repository, *arguments):
        """Seconds from the start of git to its end."""
        start = time.monotonic()
        self.git(repository, *arguments)
        return time.monotonic() - start


class Paas:
    name = "paas"

    def __init__(self, program, scratch, client, environment=None):
        self.program, self.scratch, self.client = program, scratch, client
        self.data = f"{scratch}/data"
        os.mkdir(self.data, 0o711)
        self.log = open(f"{scratch}/server.log", "wb")
        command = [program, "server", "--data", self.data] + [
            word for door in ("http", "ssh", "api") for word in (f"--{door}", "127.0.0.1:0")]
        self.process = subprocess.Popen(
            command, env={**os.environ, **(environment or {})}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=self.log, start_new_session=True)
        line = self.process.stdout.readline().decode()
        if not line.startswith("paas is ready"):
            sys.exit(f"paas server does not start; see {self.log.name}:\n" + open(self.log.name).read()[-2000:])
        self.port = int(line.split("ssh ssh://")[1].split()[0].rsplit(":", 1)[1])
        self.command("keys:add", f"{client.key}.pub")

    @property
    def pid(self):
        return self.process.pid

    @property
    def receiver(self):
        return json.loads(self.command("platform", "--json")).get("receiver_pid")

    def command(self, *arguments):
        ended = subprocess.run([self.program, *arguments], env={**os.environ, "PAAS_DATA": self.data}, capture_output=True)
        if ended.returncode != 0:
            sys.exit(f"paas {' '.join(arguments)}: {ended.stderr.decode(errors='replace')}")
        return ended.stdout

    def restart_receiver(self):
        """A fresh receiver, so that no earlier run is measured. The server starts it again when it has ended."""
        old = self.receiver
        os.kill(old, signal.SIGKILL)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            new = self.receiver
            if new and new != old and greets(self.port):
                return
            time.sleep(0.1)
        sys.exit("the receiver was not started again")

    def make(self, name):
        self.command("apps:create", name)
        return f"ssh://paas@127.0.0.1:{self.port}/{name}.git"

    def remove(self, name):
        self.command("apps:destroy", "-a", name, "--confirm", name)

    def repositories(self):
        """The bare repositories on disk."""
        return sorted(
            path for path, _, names in os.walk(f"{self.data}/receiver/repositories") if "HEAD" in names and "objects" in os.listdir(path))

    def close(self):
        subprocess.run([self.program, "server:stop", "--all", "--data", self.data], **QUIET)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.log.close()


class OpenSSH:
    """sshd on a loopback port with a configuration and a host key of its own; git-receive-pack and git-upload-pack as
    git ships them, `receive.fsckObjects=true` in each repository."""

    name = "git"

    def __init__(self, scratch, client):
        program = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/sbin:" + os.environ["PATH"])
        if not program:
            sys.exit("git-receive: sshd not found; install: apt-get install openssh-server")
        self.client, self.directory = client, f"{scratch}/git"
        os.mkdir(self.directory)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{self.directory}/host"], check=True)
        if os.getuid() == 0:
            os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
        self.port = free_port()
        configuration = f"{self.directory}/sshd_config"
        with open(configuration, "w") as file:
            file.write("\n".join([
                f"ListenAddress 127.0.0.1:{self.port}", f"HostKey {self.directory}/host", "PidFile none",
                f"AuthorizedKeysFile {client.key}.pub", "StrictModes no", "UsePAM no", "PasswordAuthentication no",
                "KbdInteractiveAuthentication no", "PermitRootLogin prohibit-password", f"Ciphers {CIPHER}",
                "MaxStartups 1000", "UseDNS no", "LogLevel ERROR",
                f"SetEnv HOME={self.directory} GIT_CONFIG_NOSYSTEM=1", ""]))
        self.log = open(f"{self.directory}/log", "wb")
        self.process = subprocess.Popen(
            [program, "-D", "-e", "-f", configuration], stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
            start_new_session=True)
        self._wait_until_listening()

    def _wait_until_listening(self):
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and self.process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        sys.exit(f"sshd does not start:\n{open(self.log.name).read()}")

    @property
    def pid(self):
        return self.process.pid

    def make(self, name):
        path = f"{self.directory}/{name}.git"
        subprocess.run(["git", "init", "--quiet", "--bare", path], check=True)
        subprocess.run(["git", "-C", path, "config", "receive.fsckObjects", "true"], check=True)
        return f"ssh://{getpass.getuser()}@127.0.0.1:{self.port}{path}"

    def remove(self, name):
        shutil.rmtree(f"{self.directory}/{name}.git")

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)
        self.log.close()
