/// The system calls a sandboxed process may make: an allow-list of our own, in the spirit of moby's stricter rules
/// (no mounts, no namespaces, no keyrings, no bpf, no tracing, no kernel modules, no io_uring, no clock changes).
/// What is forbidden on purpose answers EPERM; what this list has never heard of answers ENOSYS, so that a libc which
/// tries a newer call falls back to an older one. clone3 hides its flags behind a pointer, so it is ENOSYS too.
struct Seccomp: Encodable {
  struct Rule: Encodable {
    var names: [String]
    var action: String
    var errnoRet: Int32?
    var args: [Argument]?

    static func allow(_ names: [String], when args: [Argument]? = nil) -> Rule {
      Rule(names: names, action: "SCMP_ACT_ALLOW", args: args)
    }
  }

  struct Argument: Encodable {
    var index: Int
    var value: UInt64
    var valueTwo: UInt64?
    var op: String
  }

  var defaultAction = "SCMP_ACT_ERRNO"
  var defaultErrnoRet: Int32 = 38  // ENOSYS
  var architectures: [String]
  var syscalls: [Rule]

  static let standard = Seccomp(
    architectures: [architecture],
    syscalls: [
      .allow(words(files) + words(processes) + words(memoryAndTime) + words(sockets) + words(olderCalls)),
      Rule(names: words(forbidden), action: "SCMP_ACT_ERRNO", errnoRet: 1),
      .allow(["clone"], when: [Argument(index: 0, value: newNamespaces, valueTwo: 0, op: "SCMP_CMP_MASKED_EQ")]),
    ] + otherThanPushInput.map { .allow(["ioctl"], when: [$0]) }
      + families.map { .allow(["socket"], when: [Argument(index: 0, value: $0, op: "SCMP_CMP_EQ")]) }
      + personalities.map { .allow(["personality"], when: [Argument(index: 0, value: $0, op: "SCMP_CMP_EQ")]) })

  /// CLONE_NEWNS | NEWCGROUP | NEWUTS | NEWIPC | NEWUSER | NEWPID | NEWNET.
  static let newNamespaces: UInt64 = 0x7E02_0000
  /// TIOCSTI puts input into a terminal in its owner's name.
  static let pushInput: UInt64 = 0x5412
  /// The kernel takes the low 32 bits of ioctl's second argument, whatever the others are; SCMP_CMP_NE compares all 64.
  /// There is no masked "not equal", but what differs differs in one of the bits.
  static let otherThanPushInput = (0..<32).map { bit in
    Argument(index: 1, value: 1 << UInt64(bit), valueTwo: ~pushInput & 1 << UInt64(bit), op: "SCMP_CMP_MASKED_EQ")
  }
  /// AF_UNIX, AF_INET, AF_INET6, AF_NETLINK (getifaddrs).
  static let families: [UInt64] = [1, 2, 10, 16]
  /// PER_LINUX, PER_LINUX32, the same with UNAME26, and the query.
  static let personalities: [UInt64] = [0, 8, 0x20000, 0x20008, 0xFFFF_FFFF]

  private static func words(_ text: String) -> [String] {
    text.split(whereSeparator: \.isWhitespace).map(String.init)
  }

  #if arch(arm64)
    static let architecture = "SCMP_ARCH_AARCH64"
    static let olderCalls = ""
  #else
    static let architecture = "SCMP_ARCH_X86_64"
    /// Calls that newer architectures have only in their …at and …2 forms.
    static let olderCalls = """
      access alarm arch_prctl chmod chown creat dup2 epoll_create epoll_wait eventfd fork futimesat getdents getpgrp
      get_thread_area inotify_init lchown link lstat mkdir mknod open pause pipe poll readlink rename rmdir select
      set_thread_area signalfd stat symlink time unlink utime utimes vfork
      """
  #endif

  static let files = """
    chdir close close_range copy_file_range dup dup3 epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 eventfd2
    faccessat faccessat2 fadvise64 fallocate fchdir fchmod fchmodat fchown fchownat fcntl fdatasync fgetxattr
    flistxattr flock fremovexattr fsetxattr fstat fstatfs fsync ftruncate getcwd getdents64 getxattr inotify_add_watch
    inotify_init1 inotify_rm_watch io_cancel io_destroy io_getevents io_pgetevents io_setup io_submit lgetxattr linkat
    listxattr llistxattr lremovexattr lseek lsetxattr mkdirat mknodat newfstatat openat openat2 pipe2 ppoll pread64
    preadv preadv2 pselect6 pwrite64 pwritev pwritev2 read readahead readlinkat readv removexattr renameat renameat2
    sendfile setxattr signalfd4 splice statfs statx symlinkat sync sync_file_range syncfs tee timerfd_create
    timerfd_gettime timerfd_settime truncate umask unlinkat utimensat vmsplice write writev
    """

  static let processes = """
    capget capset execve execveat exit exit_group futex futex_waitv get_robust_list getegid geteuid getgid getgroups
    getpgid getpid getppid getpriority getresgid getresuid getrlimit getrusage getsid gettid getuid ioprio_get
    ioprio_set kill landlock_add_rule landlock_create_ruleset landlock_restrict_self membarrier pidfd_open
    pidfd_send_signal prctl prlimit64 restart_syscall rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo
    rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_tgsigqueueinfo sched_get_priority_max sched_get_priority_min
    sched_getaffinity sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval sched_setaffinity
    sched_setattr sched_setparam sched_setscheduler sched_yield seccomp set_robust_list set_tid_address setfsgid
    setfsuid setgid setgroups setpgid setpriority setregid setresgid setresuid setreuid setrlimit setsid setuid
    sigaltstack sysinfo tgkill times tkill uname wait4 waitid
    """

  static let memoryAndTime = """
    brk clock_getres clock_gettime clock_nanosleep getcpu getitimer getrandom gettimeofday madvise memfd_create mincore
    mlock mlock2 mlockall mmap mprotect mremap msync munlock munlockall munmap nanosleep pkey_alloc pkey_free
    pkey_mprotect process_madvise process_mrelease remap_file_pages setitimer timer_create timer_delete
    timer_getoverrun timer_gettime timer_settime
    """

  static let sockets = """
    accept accept4 bind connect getpeername getsockname getsockopt listen mq_getsetattr mq_notify mq_open
    mq_timedreceive mq_timedsend mq_unlink msgctl msgget msgrcv msgsnd recvfrom recvmmsg recvmsg semctl semget semop
    semtimedop sendmmsg sendmsg sendto setsockopt shmat shmctl shmdt shmget shutdown socketpair
    """

  static let forbidden = """
    acct add_key bpf chroot clock_adjtime clock_settime delete_module fanotify_init finit_module fsconfig fsmount
    fsopen fspick init_module kcmp kexec_load keyctl lookup_dcookie mbind migrate_pages mount mount_setattr move_mount
    move_pages name_to_handle_at open_by_handle_at open_tree perf_event_open pidfd_getfd pivot_root process_vm_readv
    process_vm_writev ptrace quotactl reboot request_key set_mempolicy setdomainname sethostname setns settimeofday
    swapoff swapon syslog umount2 unshare userfaultfd vhangup
    """
}
