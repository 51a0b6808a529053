import Glibc
import Linux
import Platform
import Wire

/// A program of its own that takes thousands of tunnels and sends back what it gets, so that its descriptors do not
/// count against those of the test. One thread and epoll, in Python, which the tests need anyway.
final class EchoProgram: Sendable {
  private static let source = """
    import select, socket, sys
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(4096)
    listener.setblocking(False)
    print(listener.getsockname()[1], flush=True)
    poll = select.epoll()
    poll.register(listener.fileno(), select.EPOLLIN)
    poll.register(0, select.EPOLLIN)
    heads, peers = {}, {}
    answer = b"HTTP/1.1 101 Switching Protocols\\r\\nConnection: Upgrade\\r\\nUpgrade: websocket\\r\\n\\r\\n"
    def drop(number):
        poll.unregister(number)
        peers.pop(number).close()
        heads.pop(number, None)
    while True:
        for number, event in poll.poll():
            if number == 0:
                sys.exit(0)
            if number == listener.fileno():
                try:
                    peer, _ = listener.accept()
                except BlockingIOError:
                    continue
                peers[peer.fileno()], heads[peer.fileno()] = peer, b""
                poll.register(peer.fileno(), select.EPOLLIN)
                continue
            try:
                data = peers[number].recv(65536)
                if not data:
                    drop(number)
                    continue
                if number in heads:
                    head = heads[number] + data
                    end = head.find(b"\\r\\n\\r\\n")
                    if end < 0:
                        heads[number] = head
                        continue
                    del heads[number]
                    data = answer + head[end + 4:]
                peers[number].send(data)
            except OSError:
                drop(number)
    """

  let port: Int
  private let child: Child
  private let input: Int32

  /// Throws when there is no `python3`.
  init() throws {
    let (stdin, input) = try makePipe()
    let (output, stdout) = try makePipe()
    defer { for descriptor in [stdin, output, stdout] { close(descriptor) } }
    child = try Child.spawn(
      ChildRequest(
        path: "/usr/bin/env", arguments: ["python3", "-c", Self.source],
        environment: ["PATH": Machine.environment["PATH"] ?? "/usr/bin:/bin"],
        descriptors: [0: stdin, 1: stdout, 2: 2]))
    self.input = input
    var text = ""
    var byte: UInt8 = 0
    while read(output, &byte, 1) == 1, byte != 10 { text.unicodeScalars.append(Unicode.Scalar(byte)) }
    port = Int(text) ?? 0
  }

  var endpoint: Endpoint {
    Endpoint(instance: InstanceID(), name: "web.1", address: Address(host: "127.0.0.1", port: port))
  }

  /// It ends with its input.
  func stop() async -> Int32 {
    close(input)
    return await child.exitStatus()
  }
}
