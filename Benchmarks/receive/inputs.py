"""Histories that the modes push, made with stock git."""
import os
import random
import subprocess


def borrow(client, source, target):
    """A bare repository that has all objects of `source` without copying them, and its refs."""
    subprocess.run(["git", "clone", "--quiet", "--bare", "--shared", source, target], check=True,
                   env=client.environment())
    return target


def as_tags(client, repository):
    """Refspecs that push every branch and tag as a tag: tags are kept, and nothing builds."""
    names = client.git(repository, "for-each-ref", "--format=%(refname)", "refs/heads", "refs/tags").decode().split()
    return [f"{name}:refs/tags/bench/{name.split('/', 2)[2]}" for name in names]


def tip(client, repository):
    return client.git(repository, "rev-parse", "HEAD^{commit}").decode().strip()


def commit_on(client, repository, parent, files, index):
    """A commit that adds or changes files {path: bytes}; returns its id. `index` is a scratch file."""
    environment = {"GIT_INDEX_FILE": index}
    if not os.path.exists(index):
        client.git(repository, "read-tree", parent, env=environment)
    entries = []
    for path, data in files.items():
        identity = client.git(repository, "hash-object", "-w", "--stdin", input=data).decode().strip()
        entries.append(f"100644 {identity}\t{path}")
    client.git(repository, "update-index", "--add", "--index-info", input="\n".join(entries + [""]).encode(),
               env=environment)
    tree = client.git(repository, "write-tree", env=environment).decode().strip()
    return client.git(repository, "commit-tree", tree, "-p", parent, "-m", "bench").decode().strip()


def big_blobs(size=100_000_000):
    """One blob that no compression makes smaller, and one that shrinks to a few per cent; both are `size` long."""
    source = random.Random(7)
    lines = [b"%06d %s\n" % (number, source.randbytes(24).hex().encode()) for number in range(2000)]
    text = b"".join(source.choices(lines, k=size // len(lines[0]) + 1))[:size]
    return {"large/random.bin": source.randbytes(size), "large/text.txt": text}


def fifty_thousand(client, path, files=50_000):
    """A repository of two commits, `base` and `next`: the second changes one line in each of its files."""
    subprocess.run(["git", "init", "--quiet", "--bare", path], check=True)
    source = random.Random(3)
    importer = subprocess.Popen(["git", "-C", path, "fast-import", "--quiet"], stdin=subprocess.PIPE)
    words = [source.randbytes(4).hex().encode() for _ in range(3000)]
    lines = [[b" ".join(source.choices(words, k=8)) + b"\n" for _ in range(25)] for _ in range(files)]
    for name, parent in (("base", None), ("next", "base")):
        importer.stdin.write(b"commit refs/heads/%s\ncommitter b <b@b> 1700000000 +0000\ndata 1\nx\n" % name.encode())
        if parent:
            importer.stdin.write(b"from refs/heads/%s\n" % parent.encode())
        for number, text in enumerate(lines):
            if parent:
                text[source.randrange(25)] = b"changed %s\n" % source.randbytes(8).hex().encode()
            data = b"".join(text)
            importer.stdin.write(b"M 100644 inline d%03d/f%05d.c\ndata %d\n%s\n" % (
                number // 250, number, len(data), data))
    importer.stdin.close()
    importer.wait()
    client.git(path, "symbolic-ref", "HEAD", "refs/heads/base")
    client.git(path, "repack", "-adfq")
    return path
