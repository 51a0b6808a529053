"""Starts `paas router` as the server does: with its descriptors, the server's socket and a file for its table."""
import os
import socket

from .process import Running


def socket_path(directory):
    return f"{directory}/router.sock"


def start(program, directory, port, threads, core, name="paas", urgent=False):
    """`threads` None: the router's own number. `directory` must be open to nobody."""
    listener, handover = socket.socket(), socket.socket(socket.AF_UNIX)
    with listener, handover:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(4096)
        handover.bind(f"{directory}/handover.sock")
        handover.listen(8)
        command = [program, "router", "--socket", socket_path(directory), "--table-file", f"{directory}/table.json",
                   "--listen-fd", str(listener.fileno()), "--handover-fd", str(handover.fileno()), "--server-uid",
                   str(os.geteuid())] + (["--threads", str(threads)] if threads else [])
        return Running(command, core, directory, name, urgent=urgent, unprivileged=True,
                       pass_fds=(listener.fileno(), handover.fileno()))
