import Glibc
import Linux
import Platform
import Wire

/// An app in Python's asyncio with what real clients ask for; beside HTTP it speaks WebSocket with the `websockets`
/// package's own protocol code, so that frames and close codes are not ours on either side.
final class ClientApp: Sendable {
  private static let source = """
    import asyncio, hashlib, base64, sys
    from websockets.asyncio.server import serve

    # One for each event of "/events?paced" that its client has seen: only then comes the next.
    seen = asyncio.Queue()

    async def http(reader, writer):
        try:
            while True:
                head = (await reader.readuntil(b"\\r\\n\\r\\n")).decode("latin-1")
                lines = head.split("\\r\\n")
                method, target, _ = lines[0].split(" ")
                fields = {k.lower(): v.strip() for k, v in (l.split(":", 1) for l in lines[1:] if l)}
                if fields.get("expect") == "100-continue":
                    if target == "/refuse":
                        writer.write(b"HTTP/1.1 413 Too Large\\r\\nContent-Length: 3\\r\\nConnection: close\\r\\n\\r\\nbig")
                        await writer.drain()
                        return writer.close()
                    writer.write(b"HTTP/1.1 100 Continue\\r\\n\\r\\n")
                digest, size = hashlib.sha256(), 0
                if fields.get("transfer-encoding") == "chunked":
                    while True:
                        count = int((await reader.readline()).strip(), 16)
                        data = await reader.readexactly(count)
                        digest.update(data); size += count
                        await reader.readline()
                        if count == 0:
                            break
                else:
                    left = int(fields.get("content-length", 0))
                    while left:
                        data = await reader.read(min(left, 1 << 16))
                        if not data:
                            return
                        digest.update(data); size += len(data); left -= len(data)
                if target.startswith("/events"):
                    writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Type: text/event-stream\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n")
                    for number in range(5):
                        event = b"data: %d\\n\\n" % number
                        writer.write(b"%x\\r\\n%s\\r\\n" % (len(event), event))
                        await writer.drain()
                        if target == "/events?paced":
                            await seen.get()
                    writer.write(b"0\\r\\n\\r\\n")
                    continue
                if target == "/seen":
                    seen.put_nowait(None)
                if target == "/old":
                    writer.write(b"HTTP/1.0 200 OK\\r\\n\\r\\n" + b"o" * 100000)
                    await writer.drain()
                    return writer.close()
                body = ("%s %s %d %s" % (method, target, size, digest.hexdigest())).encode()
                if target == "/kilobyte":
                    body = b"k" * 1024
                if target == "/large":
                    body = b"l" * (20 << 20)
                writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\nX-Proto: %s\\r\\n\\r\\n" % (
                    len(body), fields.get("transfer-encoding", "none").encode()))
                if method != "HEAD":
                    writer.write(body)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def echo(socket):
        async for message in socket:
            if message == "close me":
                return await socket.close(4001, "as you wish")
            await socket.send(message)

    async def main():
        web = await asyncio.start_server(http, "127.0.0.1", 0)
        sockets = await serve(echo, "127.0.0.1", 0, max_size=None, open_timeout=120, ping_timeout=120, close_timeout=120)
        print(web.sockets[0].getsockname()[1], list(sockets.sockets)[0].getsockname()[1], flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)

    asyncio.run(main())
    """

  let apps: [RoutedApp]
  private let child: Child
  private let input: Int32

  /// `hello.localhost` is the web app, `socket.localhost` the WebSocket.
  init() async throws {
    let python = try await ClientPrograms.python.value
    let (stdin, input) = try makePipe()
    let (output, stdout) = try makePipe()
    self.input = input
    child = try Child.spawn(
      ChildRequest(
        path: "/usr/bin/env", arguments: [python, "-c", Self.source], environment: ["PATH": ClientPrograms.path],
        descriptors: [0: stdin, 1: stdout, 2: 2]))
    close(stdin)
    close(stdout)
    let line = await blocking {
      var bytes: [UInt8] = []
      var byte: UInt8 = 0
      while read(output, &byte, 1) == 1, byte != 10 { bytes.append(byte) }
      close(output)
      return String(decoding: bytes, as: UTF8.self)
    }
    let ports = line.split(separator: " ").compactMap { Int($0) }
    apps = try zip(["hello", "socket"], ports).map { name, port in
      let endpoint = Endpoint(instance: InstanceID(), name: "web.1", address: Address(host: "127.0.0.1", port: port))
      return try RoutedApp.live(name, [endpoint])
    }
  }

  /// It ends with its input.
  func stop() async {
    close(input)
    await child.exitStatus()
  }
}
