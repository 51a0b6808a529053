// The backend behind every proxy: one thread, one epoll, as little work per request as there can be.
//   GET /       1 KB            GET /1m   1 MB          GET /echo   the request's head as it arrived
//   GET /stats  {"connections": accepted so far, "requests": answered so far}
//   POST        the body is read and thrown away, then 2 bytes
// Bodies need a Content-Length: a proxy that sends a known length as chunks is answered 411.
// Prints the port that it listens on.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SMALL = 1024, LARGE = 1 << 20, HEAD = 16384, READ = 1 << 18 };

struct connection {
  int fd, length, writing;
  long body;          // bytes of the request's body still to come
  const char *out;    // what is still to be written
  long left;
  char *owned;
  char head[HEAD];
};

static char small[SMALL + 256], *large, scratch[READ];
static long small_length, large_length, connections, requests;
static int poller;

static void fail(const char *what) { perror(what); exit(1); }

static long page(char *at, long body, char letter) {
  int head = sprintf(at, "HTTP/1.1 200 OK\r\nServer: bench\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\n"
                         "Content-Type: text/plain\r\nContent-Length: %ld\r\n\r\n", body);
  memset(at + head, letter, body);
  return head + body;
}

static void leave(struct connection *c) { close(c->fd); free(c->owned); free(c); }

static void watch(struct connection *c, int writing) {
  if (c->writing == writing) return;
  struct epoll_event event = {.events = writing ? EPOLLOUT : EPOLLIN, .data.ptr = c};
  epoll_ctl(poller, EPOLL_CTL_MOD, c->fd, &event);
  c->writing = writing;
}

/// 1: all is written; 0: the peer is slow; -1: it is gone.
static int flush_out(struct connection *c) {
  while (c->left > 0) {
    long sent = send(c->fd, c->out, c->left, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno == EAGAIN) { watch(c, 1); return 0; }
    if (sent < 0) return -1;
    c->out += sent;
    c->left -= sent;
  }
  watch(c, 0);
  return 1;
}

static int say(struct connection *c, const char *bytes, long length) {
  c->out = bytes;
  c->left = length;
  return flush_out(c);
}

/// Answers with text of its own (never on the measured paths).
static int tell(struct connection *c, const char *status, const char *text, int length) {
  free(c->owned);
  c->owned = malloc(length + 128);
  int head = sprintf(c->owned, "HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n", status, length);
  memcpy(c->owned + head, text, length);
  return say(c, c->owned, head + length);
}

static long content_length(const char *head, const char *end) {
  for (const char *line = head; line && line < end; line = strstr(line, "\r\n"), line = line ? line + 2 : 0)
    if (!strncasecmp(line, "content-length:", 15)) return atol(line + 15);
  return -1;
}

static int answer(struct connection *c, int head) {
  requests++;
  if (!strncmp(c->head, "GET /1m", 7)) return say(c, large, large_length);
  if (!strncmp(c->head, "GET /echo", 9)) return tell(c, "200 OK", c->head, head);
  if (!strncmp(c->head, "GET /stats", 10)) {
    char text[100];
    return tell(c, "200 OK", text, sprintf(text, "{\"connections\": %ld, \"requests\": %ld}", connections, --requests));
  }
  return say(c, small, small_length);
}

static int posted(struct connection *c) { requests++; return tell(c, "200 OK", "ok", 2); }

/// Takes what has arrived; 0 or 1: go on, -1: close.
static int take(struct connection *c) {
  if (c->body > 0) {
    long got = recv(c->fd, scratch, c->body < READ ? c->body : READ, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return 0;
    if (got <= 0) return -1;
    c->body -= got;
    return c->body == 0 ? posted(c) : 0;
  }
  long got = recv(c->fd, c->head + c->length, HEAD - 1 - c->length, 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return 0;
  if (got <= 0) return -1;
  c->length += got;
  c->head[c->length] = 0;
  while (c->length > 0) {
    char *end = strstr(c->head, "\r\n\r\n");
    if (!end) return c->length < HEAD - 1 ? 0 : -1;
    int head = end + 4 - c->head, rest = c->length - head, result;
    if (c->head[0] == 'P') {
      long length = content_length(c->head, end);
      if (length < 0) { tell(c, "411 Length Required", "", 0); return -1; }
      c->body = length > rest ? length - rest : 0;
      int taken = length > rest ? rest : length;
      head += taken, rest -= taken;
      result = c->body == 0 ? posted(c) : 1;
    } else {
      result = answer(c, head);
    }
    memmove(c->head, c->head + head, rest + 1);
    c->length = rest;
    if (result != 1 || c->body > 0) return result;
  }
  return 1;
}

static void enter(int listener) {
  for (;;) {
    int fd = accept4(listener, 0, 0, SOCK_NONBLOCK | SOCK_CLOEXEC), on = 1;
    if (fd < 0) return;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct connection *c = calloc(1, sizeof *c);
    c->fd = fd;
    connections++;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
  }
}

int main(void) {
  signal(SIGPIPE, SIG_IGN);
  large = malloc(LARGE + 256);
  small_length = page(small, SMALL, 'x');
  large_length = page(large, LARGE, 'y');
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  if (bind(listener, (void *)&address, size) || listen(listener, 4096)) fail("listen");
  getsockname(listener, (void *)&address, &size);
  printf("%d\n", ntohs(address.sin_port));
  fflush(stdout);
  poller = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event event = {.events = EPOLLIN}, events[512];
  epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event);
  for (;;) {
    int count = epoll_wait(poller, events, 512, -1);
    for (int i = 0; i < count; i++) {
      struct connection *c = events[i].data.ptr;
      if (!c) { enter(listener); continue; }
      int result = events[i].events & (EPOLLERR | EPOLLHUP) ? -1 : events[i].events & EPOLLOUT ? flush_out(c) : take(c);
      if (result < 0) leave(c);
    }
  }
}
