// Linux system calls for plumb: a function a call, results >= 0 or -errno, and nothing decided here.
#include "sha512.h"
#include "sys.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <linux/filter.h>
#include <linux/magic.h>
#include <linux/nsfs.h>

extern char **environ;

#define CALL(name) static int64_t name(const Arg *a, Out *out)
#define UNUSED (void)a, (void)out
#define STR(k) ((char *)a[k].p)

static int64_t result(int64_t r) { return r < 0 ? -errno : r; }
#define RETRY(expression)                   \
  ({                                        \
    int64_t r_;                             \
    do r_ = (expression);                   \
    while (r_ < 0 && errno == EINTR);       \
    result(r_);                             \
  })

static int64_t give(Out *out, const void *bytes, size_t n) {
  if (!(out->p = malloc(n + 1))) return -ENOMEM;
  memcpy(out->p, bytes, n);
  out->n = n;
  return 0;
}

static int64_t now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

// The time on now_ms when a wait is over: no wait is for ever, whatever number was given.
static int64_t deadline_in(int64_t ms) {
  enum { DAY = 24 * 60 * 60 * 1000 };
  return now_ms() + (ms < 0 ? 0 : ms > DAY ? DAY : ms);
}

static int left_until(int64_t deadline) {
  int64_t left = deadline - now_ms();
  return left < 0 ? 0 : left;
}

// Waits until fd is ready, or until the deadline.
static int64_t await(int fd, short events, int64_t deadline) {
  struct pollfd p = {fd, events, 0};
  for (;;) {
    int left = left_until(deadline), r = poll(&p, 1, left);
    if (r > 0) return p.revents & POLLNVAL ? -EBADF : 0;
    if (r < 0 && errno != EINTR) return -errno;
    if (r == 0 && left == 0) return -ETIMEDOUT;
  }
}

// Waits, then does what does not block. It may find nothing: somebody else on the same file was faster.
#define WHEN_READY(fd, events, deadline, expression)           \
  ({                                                           \
    int64_t w_, left_;                                         \
    do {                                                       \
      left_ = left_until(deadline);                            \
      if ((w_ = await(fd, events, deadline)) == 0) w_ = RETRY(expression); \
    } while (w_ == -EAGAIN && left_ > 0);                      \
    w_ == -EAGAIN ? -ETIMEDOUT : w_;                           \
  })

// What was opened elsewhere (a standard stream) may block, and the flag that prevents it is shared with other
// processes. So a pipe or terminal is opened anew for the one call. The caller closes what differs from fd.
static int nonblocking(int fd, int mode) {
  struct stat s;
  char path[32];
  int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || flags & O_NONBLOCK || fstat(fd, &s) < 0 || !(S_ISFIFO(s.st_mode) || S_ISCHR(s.st_mode))) return fd;
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  int own = open(path, mode | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
  return own < 0 ? fd : own;
}
static bool is_socket(int fd) {
  struct stat s;
  return fstat(fd, &s) == 0 && S_ISSOCK(s.st_mode);
}
static ssize_t take(int fd, bool socket, void *p, size_t n) { return socket ? recv(fd, p, n, MSG_DONTWAIT) : read(fd, p, n); }
static ssize_t put(int fd, bool socket, const void *p, size_t n) {
  return socket ? send(fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL) : write(fd, p, n);
}

// ---- Namespaces. Only the calling thread enters one, and it comes back before the call ends.

static int enter_netns(int ns, int *back) {
  *back = -1;
  if (ns < 0) return 0;
  if ((*back = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)) < 0) return -errno;
  if (setns(ns, CLONE_NEWNET) == 0) return 0;
  int error = -errno;
  close(*back);
  return error;
}

static void leave_netns(int back) {
  if (back < 0) return;
  if (setns(back, CLONE_NEWNET) != 0) abort(); // going on in the wrong namespace would be worse
  close(back);
}

CALL(sys_nstype) {
  UNUSED;
  struct statfs fs;
  if (fstatfs(a[0].i, &fs) < 0) return -errno;
  if (fs.f_type != NSFS_MAGIC) return -EINVAL;
  return result(ioctl(a[0].i, NS_GET_NSTYPE));
}

CALL(sys_newnetns) {
  UNUSED;
  int back = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
  if (back < 0) return -errno;
  if (unshare(CLONE_NEWNET) < 0) {
    int error = -errno;
    close(back);
    return error;
  }
  int64_t fd = result(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
  leave_netns(back);
  return fd;
}

// ---- Files

CALL(sys_open) {
  UNUSED;
  int back, error = enter_netns(a[0].i, &back);
  if (error) return error;
  int64_t fd = RETRY(open(STR(1), a[2].i | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, a[3].i));
  leave_netns(back);
  return fd;
}
CALL(sys_close) {
  UNUSED;
  int64_t r = result(close(a[0].i));
  return r == -EINTR ? 0 : r; // it is closed all the same
}
static void *close_it(void *fd) { close((int)(intptr_t)fd); return NULL; }
// The kernel lets nobody go on who closes a socket of AF_PACKET before a grace period is over: 10 ms and more. So a
// thread waits for it, which touches no memory but its stack.
CALL(sys_closelater) {
  UNUSED;
  pthread_t thread;
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&attributes, 64 << 10);
  return pthread_create(&thread, &attributes, close_it, (void *)(intptr_t)a[0].i) ? sys_close(a, out) : 0;
}
CALL(sys_read) {
  UNUSED;
  int fd = nonblocking(a[0].i, O_RDONLY);
  bool socket = is_socket(fd);
  int64_t deadline = deadline_in(a[2].i), r = WHEN_READY(fd, POLLIN, deadline, take(fd, socket, a[1].p, a[1].n));
  if (fd != a[0].i) close(fd);
  return r;
}
static bool is_regular(int fd) {
  struct stat s;
  return fstat(fd, &s) == 0 && S_ISREG(s.st_mode);
}
CALL(sys_write) {
  UNUSED;
  int fd = nonblocking(a[0].i, O_WRONLY);
  bool socket = is_socket(fd);
  size_t n = a[1].n <= 4096 || is_regular(fd) ? a[1].n : 4096;
  int64_t deadline = deadline_in(a[2].i), r = WHEN_READY(fd, POLLOUT, deadline, put(fd, socket, a[1].p, n));
  if (fd != a[0].i) close(fd);
  return r;
}
static int64_t read_to_end(int fd, int64_t limit, int64_t deadline, Out *out) {
  bool socket = is_socket(fd);
  size_t capacity = 4096;
  if (!(out->p = malloc(capacity))) return -ENOMEM;
  for (;;) {
    if (out->n == capacity) {
      uint8_t *larger = realloc(out->p, capacity *= 2);
      if (!larger) return -ENOMEM;
      out->p = larger;
    }
    int64_t r = WHEN_READY(fd, POLLIN, deadline, take(fd, socket, out->p + out->n, capacity - out->n));
    if (r <= 0) return r;
    if ((int64_t)(out->n += r) > limit) return -EFBIG;
  }
}
CALL(sys_readall) {
  int fd = nonblocking(a[0].i, O_RDONLY);
  int64_t r = read_to_end(fd, a[1].i, deadline_in(a[2].i), out);
  if (fd != a[0].i) close(fd);
  return r;
}
// Some calls have no timeout of their own; short naps cost a waiter little and need no signal.
enum { FIRST_NAP = 20000, LONGEST_NAP = 1000000 };
static void take_nap(int64_t *ns) {
  nanosleep(&(struct timespec){0, *ns}, NULL);
  if (*ns < LONGEST_NAP) *ns *= 2;
}
CALL(sys_flock) {
  UNUSED;
  int64_t deadline = deadline_in(a[2].i), nap = FIRST_NAP;
  for (;;) {
    int64_t r = RETRY(flock(a[0].i, a[1].i | LOCK_NB));
    if (r != -EWOULDBLOCK) return r;
    if (now_ms() >= deadline) return -ETIMEDOUT;
    take_nap(&nap);
  }
}
static int64_t nanoseconds(const struct timespec *t) { return t->tv_sec * 1000000000LL + t->tv_nsec; }
static int64_t give_status(Out *out, const struct stat *s) {
  double v[] = {s->st_mode, s->st_size, (double)nanoseconds(&s->st_mtim), (double)nanoseconds(&s->st_ctim), s->st_dev, s->st_ino,
                s->st_uid, s->st_gid, s->st_nlink, s->st_rdev};
  return give(out, v, sizeof v);
}
CALL(sys_stat) { struct stat s; return stat(STR(0), &s) < 0 ? -errno : give_status(out, &s); }
CALL(sys_lstat) { struct stat s; return lstat(STR(0), &s) < 0 ? -errno : give_status(out, &s); }
CALL(sys_fstat) { struct stat s; return fstat(a[0].i, &s) < 0 ? -errno : give_status(out, &s); }
CALL(sys_unlink) { UNUSED; return result(unlink(STR(0))); }
CALL(sys_rename) { UNUSED; return result(rename(STR(0), STR(1))); }
CALL(sys_link) { UNUSED; return result(link(STR(0), STR(1))); }
CALL(sys_symlink) { UNUSED; return result(symlink(STR(0), STR(1))); }
CALL(sys_mkdir) { UNUSED; return result(mkdir(STR(0), a[1].i)); }
CALL(sys_rmdir) { UNUSED; return result(rmdir(STR(0))); }
CALL(sys_chmod) { UNUSED; return result(chmod(STR(0), a[1].i)); }
CALL(sys_settime) {
  UNUSED;
  struct timespec times[] = {{0, UTIME_OMIT}, {a[1].i / 1000000000, a[1].i % 1000000000}};
  return result(utimensat(AT_FDCWD, STR(0), times, 0));
}
CALL(sys_mount) { UNUSED; return result(mount(STR(0), STR(1), STR(2), a[3].i, NULL)); }
CALL(sys_umount) { UNUSED; return result(umount2(STR(0), a[1].i)); }
CALL(sys_readlink) {
  char target[4096];
  ssize_t n = readlink(STR(0), target, sizeof target);
  return n < 0 ? -errno : give(out, target, n);
}
CALL(sys_readdir) {
  DIR *dir = opendir(STR(0));
  if (!dir) return -errno;
  size_t capacity = 0;
  int64_t r = 0;
  struct dirent *e;
  while (errno = 0, (e = readdir(dir))) {
    if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
    size_t n = strlen(e->d_name) + 1;
    if (out->n + n > capacity) {
      uint8_t *larger = realloc(out->p, capacity = capacity * 2 + n + 4096);
      if (!larger) { r = -ENOMEM; break; }
      out->p = larger;
    }
    memcpy(out->p + out->n, e->d_name, n);
    out->n += n;
  }
  if (!e && errno) r = -errno;
  closedir(dir);
  return r;
}

// ---- Processes

// A list of strings, each closed by a NUL, as the vector that exec wants. The strings stay where they are.
static char **vector(const Arg *list) {
  size_t count = 0, k = 0;
  for (size_t i = 0; i < list->n; i++) count += list->p[i] == 0;
  char **v = calloc(count + 1, sizeof *v), *at = (char *)list->p;
  if (v) for (; k < count; at += strlen(at) + 1) v[k++] = at;
  return v;
}

// Whoever started us may have ignored SIGCHLD, and the kernel would then throw the status of our children away.
static void expect_children(void) {
  struct sigaction action;
  if (sigaction(SIGCHLD, NULL, &action) == 0 && action.sa_handler == SIG_IGN) signal(SIGCHLD, SIG_DFL);
}

// The status of a child that has ended, or ends before the deadline.
static int64_t reap(pid_t pid, int *status, int64_t deadline) {
  for (int64_t nap = FIRST_NAP;; take_nap(&nap)) {
    int64_t r = RETRY(waitpid(pid, status, WNOHANG));
    if (r != 0) return r < 0 ? r : 0;
    if (now_ms() >= deadline) return -ETIMEDOUT;
  }
}

// Kills with SIGKILL (a negative pid: the group) and reaps. What hangs in the kernel for longer than this is left behind.
static void kill_and_reap(pid_t pid, bool group) {
  int status;
  kill(group ? -pid : pid, SIGKILL);
  reap(pid, &status, deadline_in(2000));
}

// Children start with no signal blocked and SIGPIPE not ignored, whatever holds in this process.
static void child_signals(posix_spawnattr_t *attributes) {
  sigset_t none, defaults;
  sigemptyset(&none);
  sigemptyset(&defaults);
  sigaddset(&defaults, SIGPIPE);
  posix_spawnattr_init(attributes);
  posix_spawnattr_setsigmask(attributes, &none);
  posix_spawnattr_setsigdefault(attributes, &defaults);
  posix_spawnattr_setpgroup(attributes, 0);
  posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
}

typedef struct {
  uint8_t *p;
  size_t n, capacity;
} Buffer;

// What a child may print. One that never stops would take all memory.
enum { OUTPUT_LIMIT = 64 << 20 };

// One read of at most `most` bytes into a buffer that grows. 1: more may come, 0: end, else -errno.
static int64_t fill(int fd, Buffer *b, size_t most) {
  if (b->capacity - b->n < most) {
    uint8_t *larger = realloc(b->p, b->capacity = b->capacity * 2 + most);
    if (!larger) return -ENOMEM;
    b->p = larger;
  }
  int64_t r = RETRY(read(fd, b->p + b->n, most));
  if (r == -EAGAIN) return 1;
  if (r > 0 && (b->n += r) > OUTPUT_LIMIT) return -EFBIG;
  return r > 0 ? 1 : r;
}

static void shut(int *fd) {
  if (*fd >= 0) close(*fd);
  *fd = -1;
}

// The pipes between us and a child, its two ends each; and the child.
enum { IN_R, IN_W, OUT_R, OUT_W, ERR_R, ERR_W, PIDFD, ENDS };
typedef struct {
  int fd[ENDS];
  pid_t pid;
  const uint8_t *input;
  size_t input_left;
  Buffer printed[2]; // on stdout and stderr
  int interrupt;     // when this can be read, the child is not to go on; or -1
} Child;

static int64_t open_pipes(int *fd, bool capture_errors) {
  if (pipe2(fd + IN_R, O_CLOEXEC) < 0 || pipe2(fd + OUT_R, O_CLOEXEC) < 0) return -errno;
  if (capture_errors && pipe2(fd + ERR_R, O_CLOEXEC) < 0) return -errno;
  for (int ours[] = {IN_W, OUT_R, ERR_R}, k = 0; k < 3; k++)
    if (fd[ours[k]] >= 0 && fcntl(fd[ours[k]], F_SETFL, O_NONBLOCK) < 0) return -errno;
  return 0;
}

static int64_t spawn(Child *c, const char *path, const Arg *arguments, const Arg *environment) {
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_t actions;
  char **argv = vector(arguments), **env = vector(environment);
  child_signals(&attributes);
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, c->fd[IN_R], 0);
  posix_spawn_file_actions_adddup2(&actions, c->fd[OUT_W], 1);
  if (c->fd[ERR_W] >= 0) posix_spawn_file_actions_adddup2(&actions, c->fd[ERR_W], 2);
  else if (fcntl(2, F_GETFD) >= 0) posix_spawn_file_actions_adddup2(&actions, 2, 2); // Node marks it close-on-exec
  int error = argv && env ? posix_spawn(&c->pid, path, &actions, &attributes, argv, env) : ENOMEM;
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  free(argv);
  free(env);
  shut(&c->fd[IN_R]), shut(&c->fd[OUT_W]), shut(&c->fd[ERR_W]);
  return -error;
}

// Reads what is in the pipe: once, or (when the child has ended) all that is there now. A grandchild may go on writing.
static int64_t drain(int *fd, Buffer *b, bool ended) {
  int there = 4096;
  if (ended && ioctl(*fd, FIONREAD, &there) < 0) return -errno;
  for (size_t until = b->n + there; b->n < until;) {
    int64_t more = fill(*fd, b, until - b->n);
    if (more == 0) shut(fd);
    if (more <= 0 || !ended) return more;
  }
  return 1;
}

// Carries bytes until the child has ended. What it wrote is then in the pipes; a grandchild that holds them is not waited for.
static int64_t converse(Child *c, int64_t deadline) {
  for (bool ended = false; !ended;) {
    if (c->input_left == 0) shut(&c->fd[IN_W]);
    struct pollfd p[] = {{c->fd[OUT_R], POLLIN, 0}, {c->fd[ERR_R], POLLIN, 0}, {c->fd[IN_W], POLLOUT, 0}, {c->fd[PIDFD], POLLIN, 0}, {c->interrupt, POLLIN, 0}};
    int left = left_until(deadline), ready = poll(p, 5, left);
    if (ready < 0 && errno != EINTR) return -errno;
    ended = ready > 0 && p[3].revents;
    if (!ended && left == 0) return -ETIMEDOUT;
    if (ready <= 0) continue;
    if (!ended && p[4].revents) return -ECANCELED;
    if (p[2].revents) {
      int64_t sent = RETRY(write(c->fd[IN_W], c->input, c->input_left));
      if (sent > 0) c->input += sent, c->input_left -= sent;
      else if (sent == -EPIPE) c->input_left = 0; // it does not want to read: its own affair
      else if (sent != -EAGAIN) return sent;
    }
    for (int i = 0; i < 2; i++) {
      int64_t more = p[i].revents ? drain(&c->fd[i ? ERR_R : OUT_R], &c->printed[i], ended) : 1;
      if (more < 0) return more;
    }
  }
  return 0;
}

static int64_t give_output(Out *out, int status, const Buffer printed[2]) {
  uint32_t head[] = {status, printed[0].n};
  if (!(out->p = malloc(sizeof head + printed[0].n + printed[1].n))) return -ENOMEM;
  memcpy(out->p, head, out->n = sizeof head);
  for (int i = 0; i < 2; out->n += printed[i++].n)
    if (printed[i].n) memcpy(out->p + out->n, printed[i].p, printed[i].n);
  return 0;
}

// run(path, argv, env, stdin, flags, timeout, interrupt): flags 1 captures stderr.
CALL(sys_run) {
  Child c = {.fd = {-1, -1, -1, -1, -1, -1, -1}, .input = a[3].p, .input_left = a[3].n, .interrupt = a[6].i};
  int status = 0;
  int64_t deadline = deadline_in(a[5].i), r = open_pipes(c.fd, a[4].i & 1);
  expect_children();
  if (r == 0 && (r = spawn(&c, STR(0), &a[1], &a[2])) == 0) {
    c.fd[PIDFD] = syscall(SYS_pidfd_open, c.pid, 0);
    r = c.fd[PIDFD] < 0 ? -errno : converse(&c, deadline);
    if (r == 0) r = reap(c.pid, &status, deadline);
    else kill_and_reap(c.pid, true);
  }
  if (r == 0) r = give_output(out, status, c.printed);
  for (int i = 0; i < ENDS; i++) shut(&c.fd[i]);
  free(c.printed[0].p);
  free(c.printed[1].p);
  return r;
}

// In the child of sys_start: its namespaces, its mounts, its program. Gives errno if it comes back.
static int become(int ns, const char *path, char **argv, char **env, char **binds) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  signal(SIGPIPE, SIG_DFL);
  for (int fd = 0; fd < 3; fd++) fcntl(fd, F_SETFD, 0); // Node marks them close-on-exec
  if (ns >= 0 && setns(ns, CLONE_NEWNET) < 0) return errno;
  if (ns >= 0 || binds[0]) {
    if (unshare(CLONE_NEWNS) < 0 || mount("", "/", "none", MS_SLAVE | MS_REC, NULL) < 0) return errno;
  }
  if (ns >= 0) {
    // /sys shows the network namespace of who mounted it. Where that is refused, the old view stays.
    if (umount2("/sys", MNT_DETACH) == 0 && mount("sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0) return errno;
  }
  for (; binds[0] && binds[1]; binds += 2)
    if (mount(binds[1], binds[0], NULL, MS_BIND, NULL) < 0) return errno;
  execve(path, argv, env);
  return errno;
}

// Mounting and exec take milliseconds; a file system that is gone (NFS, FUSE) would take for ever.
enum { START_TIMEOUT_MS = 30000 };

// start(ns, path, argv, env, binds): the pid of a child on our standard streams.
CALL(sys_start) {
  UNUSED;
  int report[2], error = 0;
  char **argv = vector(&a[2]), **env = vector(&a[3]), **binds = vector(&a[4]);
  pid_t pid = -1;
  expect_children();
  if (!argv || !env || !binds) error = ENOMEM;
  else if (pipe2(report, O_CLOEXEC) < 0) error = errno;
  else if ((pid = fork()) < 0) error = errno, close(report[0]), close(report[1]);
  if (pid == 0) {
    error = become(a[0].i, STR(1), argv, env, binds);
    if (write(report[1], &error, sizeof error) < 0) _exit(126);
    _exit(127);
  }
  free(argv);
  free(env);
  free(binds);
  if (error) return -error;
  close(report[1]);
  // The pipe ends when exec closes it, or with the reason.
  int64_t r = await(report[0], POLLIN, deadline_in(START_TIMEOUT_MS));
  if (r == 0) r = RETRY(read(report[0], &error, sizeof error));
  close(report[0]);
  if (r == 0) return pid;
  kill_and_reap(pid, false);
  return r < 0 ? r : -error;
}
CALL(sys_wait) {
  UNUSED;
  int status = 0, fd = syscall(SYS_pidfd_open, a[0].i, 0);
  if (fd < 0) return -errno;
  int64_t deadline = deadline_in(a[1].i), r = await(fd, POLLIN, deadline);
  close(fd);
  if (r == 0) r = reap(a[0].i, &status, deadline);
  return r < 0 ? r : status;
}
// One process: 0 and negative numbers, which mean groups or everybody, come only from an error that was taken for a pid.
CALL(sys_kill) { UNUSED; return a[0].i > 0 ? result(kill(a[0].i, a[1].i)) : -EINVAL; }
CALL(sys_signalfd) {
  UNUSED;
  sigset_t set;
  sigemptyset(&set);
  for (int n = 1; n <= 31; n++) if (a[0].i >> (n - 1) & 1) sigaddset(&set, n);
  if (pthread_sigmask(SIG_BLOCK, &set, NULL) != 0) return -EINVAL;
  return result(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
}

// ---- Sockets and descriptors

CALL(sys_socket) {
  UNUSED;
  int back, error = enter_netns(a[0].i, &back);
  if (error) return error;
  int64_t fd = result(socket(a[1].i, a[2].i | SOCK_CLOEXEC, a[3].i));
  leave_netns(back);
  return fd;
}
CALL(sys_bind) { UNUSED; return result(bind(a[0].i, (void *)a[1].p, a[1].n)); }
CALL(sys_connect) {
  UNUSED;
  int flags = fcntl(a[0].i, F_GETFL), error;
  socklen_t n = sizeof error;
  if (flags < 0 || fcntl(a[0].i, F_SETFL, flags | O_NONBLOCK) < 0) return -errno;
  int64_t deadline = deadline_in(a[2].i), nap = FIRST_NAP, r;
  // EAGAIN: the queue of a listening unix socket is full.
  while ((r = result(connect(a[0].i, (void *)a[1].p, a[1].n))) == -EAGAIN && now_ms() < deadline) take_nap(&nap);
  if (r == -EINPROGRESS && (r = await(a[0].i, POLLOUT, deadline)) == 0)
    r = getsockopt(a[0].i, SOL_SOCKET, SO_ERROR, &error, &n) < 0 ? -errno : -error;
  fcntl(a[0].i, F_SETFL, flags);
  return r == -EAGAIN ? -ETIMEDOUT : r;
}
CALL(sys_listen) { UNUSED; return result(listen(a[0].i, a[1].i)); }
CALL(sys_accept) {
  UNUSED;
  // Who wanted to connect may be gone by the time that we accept.
  int flags = fcntl(a[0].i, F_GETFL);
  if (flags < 0 || (!(flags & O_NONBLOCK) && fcntl(a[0].i, F_SETFL, flags | O_NONBLOCK) < 0)) return -errno;
  int64_t deadline = deadline_in(a[1].i);
  return WHEN_READY(a[0].i, POLLIN, deadline, accept4(a[0].i, NULL, NULL, SOCK_CLOEXEC));
}
// ioctl(fd, request, number, struct): a request takes either; with an empty struct the number is its argument.
CALL(sys_ioctl) {
  UNUSED;
  uint8_t copy[256] = {0}; // the kernel may write more than it was given
  if (a[3].n > sizeof copy) return -EINVAL;
  if (a[3].n == 0) return result(ioctl(a[0].i, (unsigned long)a[1].i, (unsigned long)a[2].i));
  memcpy(copy, a[3].p, a[3].n);
  int64_t r = result(ioctl(a[0].i, (unsigned long)a[1].i, copy));
  memcpy(a[3].p, copy, a[3].n);
  return r;
}
// A classic BPF program, an array of struct sock_filter: it chooses what the socket receives.
CALL(sys_filter) {
  UNUSED;
  struct sock_fprog program = {a[1].n / sizeof(struct sock_filter), (struct sock_filter *)a[1].p};
  return result(setsockopt(a[0].i, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program));
}
CALL(sys_setsockopt) { UNUSED; return result(setsockopt(a[0].i, a[1].i, a[2].i, a[3].p, a[3].n)); }
CALL(sys_send) {
  UNUSED;
  int64_t deadline = deadline_in(a[2].i);
  return WHEN_READY(a[0].i, POLLOUT, deadline, send(a[0].i, a[1].p, a[1].n, MSG_NOSIGNAL | MSG_DONTWAIT));
}
CALL(sys_sendto) {
  UNUSED;
  int64_t deadline = deadline_in(a[3].i);
  return WHEN_READY(a[0].i, POLLOUT, deadline,
                    sendto(a[0].i, a[1].p, a[1].n, MSG_NOSIGNAL | MSG_DONTWAIT, (void *)a[2].p, a[2].n));
}
CALL(sys_recv) {
  UNUSED;
  int64_t deadline = deadline_in(a[2].i);
  int64_t r = WHEN_READY(a[0].i, POLLIN, deadline, recv(a[0].i, a[1].p, a[1].n, MSG_TRUNC | MSG_DONTWAIT));
  return r > (int64_t)a[1].n ? -EMSGSIZE : r;
}
CALL(sys_poll) {
  UNUSED;
  int64_t deadline = deadline_in(a[1].i);
  return RETRY(poll((struct pollfd *)a[0].p, a[0].n / sizeof(struct pollfd), left_until(deadline)));
}

// ---- The process and its surroundings

static int argument_count;
static char **arguments;

void sys_begin(int argc, char **argv) {
  argument_count = argc, arguments = argv;
  signal(SIGPIPE, SIG_IGN); // a closed pipe is an error to handle; children get the default back
  // What is opened must not become a standard stream because somebody closed that one.
  int fd;
  while ((fd = open("/dev/null", O_RDWR)) >= 0 && fd <= 2) ;
  if (fd > 2) close(fd);
}

static int64_t give_list(Out *out, char **strings, size_t count) {
  size_t n = 0;
  for (size_t i = 0; i < count; i++) n += strlen(strings[i]) + 1;
  if (!(out->p = malloc(n + 1))) return -ENOMEM;
  for (size_t i = 0; i < count; i++) {
    size_t length = strlen(strings[i]) + 1;
    memcpy(out->p + out->n, strings[i], length);
    out->n += length;
  }
  return 0;
}
CALL(sys_argv) {
  UNUSED;
  // Started with no argument at all (newer kernels make that one empty argument): the kernel still knows the path.
  char *path = (char *)getauxval(AT_EXECFN);
  bool named = argument_count > 0 && arguments[0][0];
  return named || !path ? give_list(out, arguments, argument_count) : give_list(out, &path, 1);
}
CALL(sys_environ) {
  UNUSED;
  size_t count = 0;
  while (environ[count]) count++;
  return give_list(out, environ, count);
}
CALL(sys_variable) {
  const char *value = getenv(STR(0));
  return value ? give(out, value, strlen(value)) : -ENOENT;
}
CALL(sys_random) {
  UNUSED;
  for (size_t at = 0; at < a[0].n;) {
    int64_t r = RETRY(getrandom(a[0].p + at, a[0].n - at, GRND_NONBLOCK));
    // In the first second after boot the kernel has gathered little: enough for names and transaction numbers.
    if (r == -EAGAIN) r = RETRY(getrandom(a[0].p + at, a[0].n - at, GRND_INSECURE));
    if (r < 0) return r;
    at += r;
  }
  return a[0].n;
}
CALL(sys_clock) {
  UNUSED;
  struct timespec t;
  return clock_gettime(a[0].i, &t) < 0 ? -errno : t.tv_sec * 1000000000LL + t.tv_nsec;
}
CALL(sys_isatty) { UNUSED; return isatty(a[0].i); }
CALL(sys_getpid) { UNUSED; return getpid(); }
CALL(sys_openlimit) {
  UNUSED;
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return -errno;
  int64_t soft = limit.rlim_cur;
  limit.rlim_cur = limit.rlim_max;
  return setrlimit(RLIMIT_NOFILE, &limit) < 0 ? soft : (int64_t)limit.rlim_max;
}
CALL(sys_geteuid) { UNUSED; return geteuid(); }
CALL(sys_sha512) {
  uint8_t digest[64];
  sha512(a[0].p, a[0].n, digest);
  return give(out, digest, sizeof digest);
}

// How many bytes at p form one character in UTF-8; 0 if they form none. `bad` is then how many U+FFFD stands for (the
// Encoding standard's decoder: the longest beginning of a character, or one byte).
static size_t utf8_length(const uint8_t *p, size_t n, size_t *bad) {
  uint8_t low = 0x80, high = 0xbf;
  size_t wanted = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 0;
  *bad = 1;
  if (p[0] == 0xe0) low = 0xa0;  // else it would be longer than need be
  if (p[0] == 0xed) high = 0x9f; // else a surrogate
  if (p[0] == 0xf0) low = 0x90;
  if (p[0] == 0xf4) high = 0x8f; // else beyond U+10FFFF
  for (size_t k = 1; k < wanted; k++, low = 0x80, high = 0xbf) {
    if (k == n || p[k] < low || p[k] > high) return 0;
    *bad = k + 1;
  }
  return wanted;
}

// Strings go to bytes and back alike in all engines: what no UTF-8 can say becomes U+FFFD.
CALL(sys_encode) {
  int64_t r = give(out, a[0].p, a[0].n);
  // An engine may hand over half of a surrogate pair as three bytes.
  for (size_t at = 0; r == 0 && at + 2 < out->n; at++)
    if (out->p[at] == 0xed && out->p[at + 1] >= 0xa0) memcpy(out->p + at, "\xef\xbf\xbd", 3);
  return r;
}
CALL(sys_decode) {
  const uint8_t *p = a[0].p, *end = p + a[0].n;
  size_t bad, length;
  if (!(out->p = malloc(a[0].n * 3 + 1))) return -ENOMEM;
  for (; p < end; p += length) {
    if ((length = utf8_length(p, end - p, &bad))) {
      memcpy(out->p + out->n, p, length);
      out->n += length;
    } else {
      memcpy(out->p + out->n, "\xef\xbf\xbd", 3);
      out->n += 3;
      length = bad;
    }
  }
  return 0;
}
CALL(sys_exit) { UNUSED; _exit(a[0].i); }

const Sys sys_table[] = {
    {"open", "iisii", sys_open},
    {"close", "ii", sys_close},
    {"closelater", "ii", sys_closelater},
    {"read", "iibi", sys_read},
    {"write", "iibi", sys_write},
    {"readall", "biii", sys_readall},
    {"flock", "iiii", sys_flock},
    {"stat", "bs", sys_stat},
    {"lstat", "bs", sys_lstat},
    {"fstat", "bi", sys_fstat},
    {"unlink", "is", sys_unlink},
    {"rename", "iss", sys_rename},
    {"link", "iss", sys_link},
    {"symlink", "iss", sys_symlink},
    {"readlink", "ts", sys_readlink},
    {"mkdir", "isi", sys_mkdir},
    {"rmdir", "is", sys_rmdir},
    {"chmod", "isi", sys_chmod},
    {"settime", "isi", sys_settime},
    {"readdir", "ts", sys_readdir},
    {"mount", "isssi", sys_mount},
    {"umount", "isi", sys_umount},
    {"nstype", "ii", sys_nstype},
    {"newnetns", "i", sys_newnetns},
    {"run", "bsttbiii", sys_run},
    {"start", "iisttt", sys_start},
    {"wait", "iii", sys_wait},
    {"kill", "iii", sys_kill},
    {"signalfd", "ii", sys_signalfd},
    {"socket", "iiiii", sys_socket},
    {"bind", "iib", sys_bind},
    {"connect", "iibi", sys_connect},
    {"listen", "iii", sys_listen},
    {"accept", "iii", sys_accept},
    {"setsockopt", "iiiib", sys_setsockopt},
    {"filter", "iib", sys_filter},
    {"ioctl", "iiiib", sys_ioctl},
    {"send", "iibi", sys_send},
    {"sendto", "iibbi", sys_sendto},
    {"recv", "iibi", sys_recv},
    {"poll", "ibi", sys_poll},
    {"random", "ib", sys_random},
    {"clock", "ii", sys_clock},
    {"environ", "t", sys_environ},
    {"variable", "ts", sys_variable},
    {"argv", "t", sys_argv},
    {"isatty", "ii", sys_isatty},
    {"getpid", "i", sys_getpid},
    {"geteuid", "i", sys_geteuid},
    {"openlimit", "i", sys_openlimit},
    {"sha512", "bb", sys_sha512},
    {"encode", "bt", sys_encode},
    {"decode", "tb", sys_decode},
    {"exit", "ii", sys_exit},
    {NULL, NULL, NULL},
};

int64_t sys_invoke(const Sys *sys, const Arg *a, Out *out) {
  for (int k = 0; sys->signature[k + 1]; k++)
    if (sys->signature[k + 1] == 's' && memchr(a[k].p, 0, a[k].n)) return -EINVAL;
  return sys->call(a, out);
}
