// Requests at a fixed rate over keep-alive connections, whatever the answers do (an open loop): request number i is due
// at i / RATE, on connection i mod N. A request whose connection is still busy waits, and its time counts from when it
// was due, so a stalled proxy cannot hide its own delays (wrk's closed loop can).
//   paced PORT HOST CONNECTIONS RATE SECONDS   → one line of JSON, times in microseconds
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BUFFER = 65536 };
struct connection { int fd, busy; long due, sent, left; int length; char in[BUFFER]; };

static char request[512];
static int request_length;
static long *times, count, errors, late;

static void fail(const char *what) { perror(what); exit(1); }

static long now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000L + t.tv_nsec;
}

static void send_request(struct connection *c, long due) {
  c->busy = 1;
  c->due = due;
  c->left = -1;
  c->length = 0;
  if (send(c->fd, request, request_length, MSG_NOSIGNAL) != request_length) fail("send");
}

/// Whether the answer is complete.
static int receive(struct connection *c) {
  long got = recv(c->fd, c->in + c->length, BUFFER - 1 - c->length, 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return 0;
  if (got <= 0) { fprintf(stderr, "the proxy closed a connection\n"); exit(1); }
  c->length += got;
  c->in[c->length] = 0;
  if (c->left < 0) {
    char *end = strstr(c->in, "\r\n\r\n");
    if (!end) return 0;
    char *length = strcasestr(c->in, "\r\ncontent-length:");
    if (!length || length > end) { fprintf(stderr, "an answer without Content-Length\n"); exit(1); }
    if (strncmp(c->in, "HTTP/1.1 200", 12)) errors++;
    c->left = end + 4 - c->in + atol(length + 17);
  }
  return c->length >= c->left;
}

static int by_time(const void *a, const void *b) { long x = *(long *)a, y = *(long *)b; return x < y ? -1 : x > y; }
static double at(double share) { return count ? times[(long)(share * (count - 1))] / 1000.0 : 0; }

int main(int argc, char **argv) {
  if (argc != 6) { fprintf(stderr, "usage: paced PORT HOST CONNECTIONS RATE SECONDS\n"); return 2; }
  int port = atoi(argv[1]), n = atoi(argv[3]);
  double rate = atof(argv[4]), seconds = atof(argv[5]);
  long total = rate * seconds, issued = 0;
  request_length = snprintf(request, sizeof request, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", argv[2]);
  times = calloc(total + n, sizeof *times);
  struct connection *all = calloc(n, sizeof *all);
  int poller = epoll_create1(0);
  for (int i = 0; i < n; i++) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int on = 1;
    all[i].fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(all[i].fd, (void *)&address, sizeof address)) fail("connect");
    setsockopt(all[i].fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &all[i]};
    epoll_ctl(poller, EPOLL_CTL_ADD, all[i].fd, &event);
  }
  long *queue = calloc(n, sizeof *queue);  // the next request of each connection: i, i + n, i + 2n …
  for (int i = 0; i < n; i++) queue[i] = i;
  long start = now(), give_up = start + (long)((seconds + 10) * 1e9), next = 0;
  struct epoll_event events[512];
  while (count < total && now() < give_up) {
    long clock = now();
    for (; next < total && start + (long)(next * 1e9 / rate) <= clock; next++) {
      struct connection *c = &all[next % n];
      if (c->busy) { late++; continue; }  // sent when its connection is free
      send_request(c, start + (long)(queue[next % n] * 1e9 / rate));
      queue[next % n] += n, issued++;
    }
    long wait = next < total ? start + (long)(next * 1e9 / rate) - now() : 1000000;
    struct timespec pause = {0, wait < 0 ? 0 : wait > 1000000 ? 1000000 : wait};
    int ready = epoll_pwait2(poller, events, 512, &pause, 0);
    clock = now();
    for (int i = 0; i < ready; i++) {
      struct connection *c = events[i].data.ptr;
      if (!c->busy || !receive(c)) continue;
      times[count++] = now() - c->due;
      c->busy = 0;
      long mine = queue[c - all];
      if (mine < next && mine < total) {
        send_request(c, start + (long)(mine * 1e9 / rate));
        queue[c - all] += n, issued++;
      }
    }
  }
  qsort(times, count, sizeof *times, by_time);
  printf("{\"requests\": %ld, \"unanswered\": %ld, \"errors\": %ld, \"late\": %ld, \"p50\": %.0f, \"p90\": %.0f, "
         "\"p99\": %.0f, \"p999\": %.0f, \"max\": %.0f}\n",
         count, total - count, errors, late, at(.5), at(.9), at(.99), at(.999), at(1));
  return 0;
}
