// System calls that Glibc's Swift module does not show, and fork+exec that is safe in a process with threads.
// Everything returns 0 or a positive value on success, -errno on failure.
#ifndef PAAS_CLINUX_H
#define PAAS_CLINUX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/// One descriptor of the child: `from` in the parent becomes `to` in the child, without close-on-exec.
typedef struct {
  int from;
  int to;
} paas_fd_map;

typedef struct {
  /// Program to run: a path, or NULL for this very program (/proc/self/exe).
  const char *path;
  char *const *argv;
  char *const *envp;
  /// NULL: stay.
  const char *cwd;
  /// All other descriptors are closed in the child.
  const paas_fd_map *fds;
  size_t fd_count;
  /// Start a new session (and process group), away from the parent's terminal.
  bool new_session;
  /// Signal for the child when the parent thread that spawned it ends; 0: none. Spawn from a thread that stays.
  int parent_death_signal;
  /// Make fd 0 the controlling terminal of the new session.
  bool controlling_terminal;
  /// Give the child a mount namespace of its own in which the hybrid cgroup v2 tree is not mounted (crun refuses
  /// hybrid set-ups). Without CAP_SYS_ADMIN also a user namespace in which the caller is uid 0.
  bool hide_hybrid_cgroups;
  /// Become this user and group, with no supplementary groups and no capabilities, before the exec. -1: stay.
  int64_t uid;
  int64_t gid;
} paas_spawn_request;

/// Returns the child's pid once the exec has succeeded, else -errno; `*stage` then names the step that failed.
pid_t paas_spawn(const paas_spawn_request *request, const char **stage);

/// Descriptor that becomes readable when the process ends.
int paas_pidfd_open(pid_t pid);
int paas_pidfd_send_signal(int pidfd, int signal);

/// Both ends close-on-exec.
int paas_pipe(int fds[2]);
int paas_socketpair(int fds[2]);
/// accept4 with SOCK_CLOEXEC, blocking; retries EINTR.
int paas_accept(int fd);

/// Who is at the other end of a connected unix socket (SO_PEERCRED).
int paas_peer_credentials(int fd, uid_t *uid, gid_t *gid, pid_t *pid);

/// Sends `count` (8 at most) descriptors with one byte of data over a unix socket.
int paas_send_fds(int socket, const int *fds, size_t count);
/// Receives at most `capacity` (8 at most) descriptors, close-on-exec; returns how many, 0 at end of file.
int paas_receive_fds(int socket, int *fds, size_t capacity);

/// Drops to this user for good: groups, uid, every capability, no_new_privs. Fails unless all of it holds afterwards.
int paas_drop_privileges(uid_t uid, gid_t gid, const char **stage);
/// No new privileges and no capabilities for a process that is not root.
int paas_no_new_privileges(void);
/// The name that ps and /proc/PID/comm show; 15 bytes at most.
void paas_name_process(const char *name);
/// At most so many malloc arenas for all threads together: each keeps what its threads have freed.
void paas_share_memory_arenas(int arenas);
/// Gives memory that malloc keeps for later back to the system.
void paas_trim_memory(void);
/// 0: this process may not be traced or dumped by its own user.
int paas_set_dumpable(int dumpable);
/// True when the effective set holds CAP_SYS_ADMIN.
bool paas_can_mount(void);

/// renameat2 with RENAME_NOREPLACE.
int paas_rename_noreplace(const char *from, const char *to);

/// A new pseudo terminal: `*master` and `*slave`, both close-on-exec.
int paas_open_terminal(int *master, int *slave, unsigned short columns, unsigned short rows);
int paas_resize_terminal(int master, unsigned short columns, unsigned short rows);
int paas_is_terminal_size(int fd, unsigned short *columns, unsigned short *rows);

/// True when the file system at `path` is cgroup v2; tmpfs for v1 and hybrid.
bool paas_is_cgroup2(const char *path);

extern char **environ;
/// The process's environment.
static inline char *const *paas_environment(void) { return environ; }
#endif
