"""Processes that are measured: each in a session of its own and on one core; CPU time and memory from /proc."""
import os
import signal
import subprocess
import time

NOBODY = 65534


def tree(root):
    """The process and all its descendants."""
    found, waiting = [], [root]
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        try:
            for task in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{task}/children") as file:
                    waiting += [int(child) for child in file.read().split()]
        except (FileNotFoundError, ProcessLookupError):
            pass
    return found


def cpu_nanoseconds(root):
    """Time on a CPU of every thread of every process below `root` (schedstat, in nanoseconds, not ticks)."""
    total = 0
    for pid in tree(root):
        try:
            for task in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{task}/schedstat") as file:
                    total += int(file.read().split()[0])
        except (FileNotFoundError, ProcessLookupError):
            pass
    return total


def memory(root):
    """{"Pss": bytes, "Rss": bytes} of the whole tree (smaps_rollup)."""
    sums = {"Pss": 0, "Rss": 0}
    for pid in tree(root):
        with open(f"/proc/{pid}/smaps_rollup") as file:
            for line in file:
                name = line.split(":")[0]
                if name in sums:
                    sums[name] += int(line.split()[1]) << 10
    return sums


class Running:
    """A started process. `core` pins it; sched_autogroup shares the CPU by session, so each gets one of its own; a
    bench that is root gives its proxies to nobody."""

    def __init__(self, command, core, directory, name, urgent=False, unprivileged=False, **options):
        self.name, self.log = name, f"{directory}/{name}.stderr"
        if unprivileged and os.geteuid() == 0:
            options |= {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        options.setdefault("stdout", subprocess.DEVNULL)
        with open(self.log, "wb") as errors:
            self.process = subprocess.Popen(
                ["taskset", "-c", str(core), *command], stdin=subprocess.DEVNULL, stderr=errors, cwd="/",
                start_new_session=True, **options)
        if urgent:
            prefer(self.process.pid)

    @property
    def pid(self):
        return self.process.pid

    def cpu(self):
        return cpu_nanoseconds(self.pid)

    def last_words(self):
        with open(self.log, errors="replace") as file:
            return file.read()[-2000:]

    def stop(self, limit=10):
        """SIGTERM, then SIGKILL to what is left of its own tree."""
        processes = tree(self.pid)
        self.process.terminate()
        try:
            self.process.wait(limit)
        except subprocess.TimeoutExpired:
            for pid in processes:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()


def prefer(pid):
    """Lets the session of the process go before those of others on a busy machine. Needs root."""
    try:
        with open(f"/proc/{pid}/autogroup", "w") as file:
            file.write("-15")
    except OSError:
        pass


def real_time(root, on):
    """SCHED_RR for every thread of the tree: nothing ordinary delays it. Needs root. Only for what leaves its core idle
    most of the time; else the kernel takes it off the core for 50 ms of each second."""
    policy, parameter = (os.SCHED_RR, os.sched_param(1)) if on else (os.SCHED_OTHER, os.sched_param(0))
    for pid in tree(root):
        for task in os.listdir(f"/proc/{pid}/task"):
            try:
                os.sched_setscheduler(int(task), policy, parameter)
            except ProcessLookupError:
                pass


def wait_until(ready, what, limit=15):
    """Polls; the exception says what did not come."""
    deadline = time.monotonic() + limit
    while not ready():
        if time.monotonic() > deadline:
            raise RuntimeError(f"{what}: not within {limit} s")
        time.sleep(0.02)
