"""What running processes cost: CPU and memory, read from /proc and from a memory cgroup where one can be made."""
import os
import threading
import time

TICK = os.sysconf("SC_CLK_TCK")


def _stat(pid):
    """The fields of /proc/PID/stat from the third on (proc(5)); None when the process has gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def tree(root):
    """The process and all its descendants."""
    parents = {int(name): int(stat[1]) for name in os.listdir("/proc") if name.isdigit() and (stat := _stat(name))}
    found, grown = {root}, True
    while grown:
        more = {pid for pid, parent in parents.items() if parent in found} - found
        found |= more
        grown = bool(more)
    return found


def cpu_seconds(root):
    """utime + stime + cutime + cstime of every process of the tree. A child that was waited for counts in its parent,
    so nothing that ran below `root` is missed. The kernel's sums are exact; they are shown in ticks of 10 ms."""
    fields = (stat[11:15] for pid in tree(root) if (stat := _stat(pid)))
    return sum(int(field) for four in fields for field in four) / TICK


def settled_cpu_seconds(root, quiet=0.4, limit=20):
    """The CPU time once the tree has come to rest: what goes on after the client has left is counted too."""
    deadline = time.monotonic() + limit
    before = cpu_seconds(root)
    while True:
        time.sleep(quiet)
        now = cpu_seconds(root)
        if now - before <= 1 / TICK or time.monotonic() > deadline:
            return now
        before = now


def anonymous_bytes(pid):
    """RssAnon of one process: memory that is its own and no file's."""
    try:
        with open(f"/proc/{pid}/status") as file:
            for line in file:
                if line.startswith("RssAnon:"):
                    return int(line.split()[1]) << 10
    except (FileNotFoundError, ProcessLookupError):
        pass
    return 0


class MemoryGroup:
    """A memory cgroup (v1) for one process. What it had before it came is added, as its charge stays where it was."""

    ROOT = "/sys/fs/cgroup/memory"

    def __init__(self, pid):
        self.path = f"{self.ROOT}/paas-bench-{os.getpid()}"
        self.before = anonymous_bytes(pid)
        os.mkdir(self.path)
        self._write("cgroup.procs", pid)

    def _write(self, name, value):
        with open(f"{self.path}/{name}", "w") as file:
            file.write(str(value))

    def bytes_without_cache(self):
        """Everything that is charged, the kernel's memory included, less file cache."""
        with open(f"{self.path}/memory.usage_in_bytes") as file:
            used = int(file.read())
        with open(f"{self.path}/memory.stat") as file:
            values = dict(line.split() for line in file)
        return used - int(values["total_cache"]) + int(values["total_shmem"]) + self.before

    def close(self):
        with open(f"{self.path}/cgroup.procs") as file:
            for pid in file.read().split():
                with open(f"{self.ROOT}/cgroup.procs", "w") as root:
                    root.write(pid)
        os.rmdir(self.path)

    @classmethod
    def around(cls, pid):
        """None where there is no writable memory cgroup (v1)."""
        try:
            return cls(pid)
        except OSError:
            return None


class MemoryPeak:
    """Samples a process (and what it starts) every 20 ms while the block runs."""

    def __init__(self, pid, interval=0.02):
        self.pid, self.interval = pid, interval
        self.anonymous = self.group = 0
        self.stopping = threading.Event()

    def __enter__(self):
        self.cgroup = MemoryGroup.around(self.pid)
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join()
        if self.cgroup:
            self.cgroup.close()

    def _run(self):
        pids, count = [self.pid], 0
        while not self.stopping.is_set():
            if count % 10 == 0:
                pids = tree(self.pid)
            count += 1
            self.anonymous = max(self.anonymous, sum(anonymous_bytes(pid) for pid in pids))
            if self.cgroup:
                self.group = max(self.group, self.cgroup.bytes_without_cache())
            time.sleep(self.interval)
