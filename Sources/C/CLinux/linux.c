#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <malloc.h>
#include <pty.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

// ---- privileges

static int clear_capabilities(void) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  struct __user_cap_data_struct data[2];
  memset(data, 0, sizeof data);
  if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0 && errno != EINVAL) return -errno;
  if (syscall(SYS_capset, &header, data) != 0) return -errno;
  return 0;
}

static bool has_capability(int capability) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  struct __user_cap_data_struct data[2];
  if (syscall(SYS_capget, &header, data) != 0) return false;
  return (data[capability / 32].effective >> (capability % 32)) & 1;
}

bool paas_can_mount(void) { return has_capability(CAP_SYS_ADMIN); }

int paas_drop_privileges(uid_t uid, gid_t gid, const char **stage) {
  *stage = "bounding set";
  for (int capability = 0; capability <= 63; capability++) {
    if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0 && errno != EINVAL && errno != EPERM) return -errno;
  }
  *stage = "setgroups";
  if (setgroups(0, NULL) != 0) return -errno;
  *stage = "setresgid";
  if (setresgid(gid, gid, gid) != 0) return -errno;
  *stage = "setresuid";
  if (setresuid(uid, uid, uid) != 0) return -errno;
  *stage = "capset";
  int result = clear_capabilities();
  if (result != 0) return result;
  *stage = "no_new_privs";
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -errno;
  *stage = "check";
  if (uid != 0 && setuid(0) == 0) return -EPERM;
  return 0;
}

int paas_no_new_privileges(void) {
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -errno;
  return clear_capabilities();
}

void paas_name_process(const char *name) { prctl(PR_SET_NAME, name, 0, 0, 0); }

void paas_share_memory_arenas(int arenas) { mallopt(M_ARENA_MAX, arenas); }

void paas_trim_memory(void) { malloc_trim(0); }

int paas_set_dumpable(int dumpable) { return prctl(PR_SET_DUMPABLE, dumpable, 0, 0, 0) != 0 ? -errno : 0; }

// ---- spawn; between fork and exec only async-signal-safe calls

static int write_file(const char *path, const char *text, size_t length) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return -errno;
  ssize_t written = write(fd, text, length);
  int error = errno;
  close(fd);
  return written == (ssize_t)length ? 0 : -error;
}

static size_t decimal(char *out, unsigned value) {
  char reversed[16];
  size_t count = 0, length = 0;
  do { reversed[count++] = (char)('0' + value % 10); value /= 10; } while (value);
  while (count) out[length++] = reversed[--count];
  return length;
}

static size_t identity_map(char *out, unsigned outside) {
  size_t length = 0;
  out[length++] = '0';
  out[length++] = ' ';
  length += decimal(out + length, outside);
  out[length++] = ' ';
  out[length++] = '1';
  return length;
}

static int hide_hybrid_cgroups(void) {
  bool privileged = has_capability(CAP_SYS_ADMIN);
  uid_t uid = geteuid();
  gid_t gid = getegid();
  if (unshare(CLONE_NEWNS | (privileged ? 0 : CLONE_NEWUSER)) != 0) return -errno;
  if (!privileged) {
    char map[48];
    int result = write_file("/proc/self/setgroups", "deny", 4);
    if (result == 0) result = write_file("/proc/self/uid_map", map, identity_map(map, uid));
    if (result == 0) result = write_file("/proc/self/gid_map", map, identity_map(map, gid));
    if (result != 0) return result;
  }
  if (mount(NULL, "/", NULL, MS_REC | (privileged ? MS_PRIVATE : MS_SLAVE), NULL) != 0) return -errno;
  struct statfs info;
  bool hybrid = statfs("/sys/fs/cgroup/unified", &info) == 0 && info.f_type == CGROUP2_SUPER_MAGIC;
  if (!hybrid) return 0;
  if (privileged) {
    if (umount2("/sys/fs/cgroup/unified", MNT_DETACH) != 0) return -errno;
  } else if (mount("tmpfs", "/sys/fs/cgroup", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) != 0) {
    return -errno;
  }
  return 0;
}

struct failure {
  int error;
  int stage;
};

static const char *const stages[] = {"fork",       "session", "terminal", "cgroups", "descriptors",
                                     "directory", "user",    "signals",  "exec"};
enum { s_fork, s_session, s_terminal, s_cgroups, s_descriptors, s_directory, s_user, s_signals, s_exec };

static void fail(int report, int stage, int error) {
  struct failure failure = {error, stage};
  ssize_t ignored = write(report, &failure, sizeof failure);
  (void)ignored;
  _exit(127);
}

static void child(const paas_spawn_request *request, int report, pid_t parent) {
  if (request->new_session && setsid() < 0) fail(report, s_session, errno);
  if (request->hide_hybrid_cgroups) {
    int result = hide_hybrid_cgroups();
    if (result != 0) fail(report, s_cgroups, -result);
  }
  // Descriptors: first out of the way of all targets, then onto them.
  int moved[64];
  int floor = 64;
  for (size_t index = 0; index < request->fd_count; index++) {
    if (request->fds[index].to >= floor) fail(report, s_descriptors, EINVAL);
    moved[index] = fcntl(request->fds[index].from, F_DUPFD_CLOEXEC, floor);
    if (moved[index] < 0) fail(report, s_descriptors, errno);
  }
  int high_report = fcntl(report, F_DUPFD_CLOEXEC, floor);
  if (high_report < 0) fail(report, s_descriptors, errno);
  report = high_report;
  for (size_t index = 0; index < request->fd_count; index++) {
    if (dup2(moved[index], request->fds[index].to) < 0) fail(report, s_descriptors, errno);
  }
  for (int fd = 0; fd < floor; fd++) {
    bool kept = false;
    for (size_t index = 0; index < request->fd_count; index++) kept |= request->fds[index].to == fd;
    if (!kept) close(fd);
  }
  if (syscall(SYS_close_range, (unsigned)floor, ~0U, 4 /* CLOSE_RANGE_CLOEXEC */) != 0) {
    for (int fd = floor; fd < 65536; fd++) fcntl(fd, F_SETFD, FD_CLOEXEC);
  }
  if (request->controlling_terminal && ioctl(0, TIOCSCTTY, 0) != 0) fail(report, s_terminal, errno);
  if (request->cwd && chdir(request->cwd) != 0) fail(report, s_directory, errno);
  if (request->uid >= 0) {
    const char *ignored;
    int result = paas_drop_privileges((uid_t)request->uid, (gid_t)request->gid, &ignored);
    if (result != 0) fail(report, s_user, -result);
  }
  if (request->parent_death_signal) {
    if (prctl(PR_SET_PDEATHSIG, request->parent_death_signal, 0, 0, 0) != 0) fail(report, s_signals, errno);
    if (getppid() != parent) _exit(127);
  }
  for (int number = 1; number < NSIG; number++) signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  if (sigprocmask(SIG_SETMASK, &none, NULL) != 0) fail(report, s_signals, errno);
  execve(request->path ? request->path : "/proc/self/exe", request->argv, request->envp);
  fail(report, s_exec, errno);
}

pid_t paas_spawn(const paas_spawn_request *request, const char **stage) {
  *stage = stages[s_fork];
  if (request->fd_count > 60) return -EINVAL;
  int report[2];
  if (pipe2(report, O_CLOEXEC) != 0) return -errno;
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);  // no handler of ours may run in the child
  pid_t parent = getpid();
  pid_t pid = fork();
  int fork_error = errno;
  if (pid == 0) {
    close(report[0]);
    child(request, report[1], parent);
    _exit(127);
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  close(report[1]);
  if (pid < 0) {
    close(report[0]);
    return -fork_error;
  }
  struct failure failure;
  ssize_t got;
  do { got = read(report[0], &failure, sizeof failure); } while (got < 0 && errno == EINTR);
  close(report[0]);
  if (got != sizeof failure) return pid;
  while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {}
  if (failure.stage >= 0 && failure.stage <= s_exec) *stage = stages[failure.stage];
  return -failure.error;
}

// ---- descriptors and sockets

int paas_pidfd_open(pid_t pid) {
  int fd = (int)syscall(SYS_pidfd_open, pid, 0);
  return fd < 0 ? -errno : fd;
}

int paas_pidfd_send_signal(int pidfd, int number) {
  return syscall(SYS_pidfd_send_signal, pidfd, number, NULL, 0) != 0 ? -errno : 0;
}

int paas_pipe(int fds[2]) { return pipe2(fds, O_CLOEXEC) != 0 ? -errno : 0; }

int paas_socketpair(int fds[2]) {
  return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0 ? -errno : 0;
}

int paas_accept(int fd) {
  int connection;
  do { connection = accept4(fd, NULL, NULL, SOCK_CLOEXEC); } while (connection < 0 && errno == EINTR);
  return connection < 0 ? -errno : connection;
}

int paas_peer_credentials(int fd, uid_t *uid, gid_t *gid, pid_t *pid) {
  struct ucred credentials;
  socklen_t length = sizeof credentials;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0) return -errno;
  *uid = credentials.uid;
  *gid = credentials.gid;
  *pid = credentials.pid;
  return 0;
}

#define MOST_FDS 8

int paas_send_fds(int socket, const int *fds, size_t count) {
  if (count == 0 || count > MOST_FDS) return -EINVAL;
  char control[CMSG_SPACE(sizeof(int) * MOST_FDS)];
  memset(control, 0, sizeof control);
  char byte = 0;
  struct iovec data = {&byte, 1};
  struct msghdr message = {
      .msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = CMSG_SPACE(sizeof(int) * count)};
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int) * count);
  memcpy(CMSG_DATA(header), fds, sizeof(int) * count);
  ssize_t sent;
  do { sent = sendmsg(socket, &message, MSG_NOSIGNAL); } while (sent < 0 && errno == EINTR);
  return sent < 0 ? -errno : 0;
}

int paas_receive_fds(int socket, int *fds, size_t capacity) {
  char control[CMSG_SPACE(sizeof(int) * MOST_FDS)];
  char byte;
  struct iovec data = {&byte, 1};
  struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  ssize_t got;
  do { got = recvmsg(socket, &message, MSG_CMSG_CLOEXEC); } while (got < 0 && errno == EINTR);
  if (got < 0) return -errno;
  size_t count = 0;
  for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    size_t received = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t index = 0; index < received; index++) {
      int fd;
      memcpy(&fd, CMSG_DATA(header) + index * sizeof(int), sizeof(int));
      if (count < capacity) fds[count++] = fd; else close(fd);
    }
  }
  return (int)count;
}

int paas_rename_noreplace(const char *from, const char *to) {
  return renameat2(AT_FDCWD, from, AT_FDCWD, to, 1 /* RENAME_NOREPLACE */) != 0 ? -errno : 0;
}

// ---- terminals and file systems

int paas_open_terminal(int *master, int *slave, unsigned short columns, unsigned short rows) {
  struct winsize size = {.ws_col = columns, .ws_row = rows};
  if (openpty(master, slave, NULL, NULL, &size) != 0) return -errno;
  fcntl(*master, F_SETFD, FD_CLOEXEC);
  fcntl(*slave, F_SETFD, FD_CLOEXEC);
  return 0;
}

int paas_resize_terminal(int master, unsigned short columns, unsigned short rows) {
  struct winsize size = {.ws_col = columns, .ws_row = rows};
  return ioctl(master, TIOCSWINSZ, &size) != 0 ? -errno : 0;
}

int paas_is_terminal_size(int fd, unsigned short *columns, unsigned short *rows) {
  struct winsize size;
  if (ioctl(fd, TIOCGWINSZ, &size) != 0) return -errno;
  *columns = size.ws_col;
  *rows = size.ws_row;
  return 0;
}

bool paas_is_cgroup2(const char *path) {
  struct statfs info;
  return statfs(path, &info) == 0 && info.f_type == CGROUP2_SUPER_MAGIC;
}
