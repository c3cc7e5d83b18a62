// Linux system calls for plumb: a function a call, results >= 0 or -errno, and nothing decided here.
#include "sys.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
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

// Waits until fd is ready, or until the deadline (on now_ms).
static int64_t await(int fd, short events, int64_t deadline) {
  struct pollfd p = {fd, events, 0};
  for (;;) {
    int64_t left = deadline - now_ms();
    int r = poll(&p, 1, left < 0 ? 0 : left > 60000 ? 60000 : (int)left);
    if (r > 0) return p.revents & POLLNVAL ? -EBADF : 0;
    if (r < 0 && errno != EINTR) return -errno;
    if (left <= 0) return -ETIMEDOUT;
  }
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
CALL(sys_close) { UNUSED; return result(close(a[0].i)); }
CALL(sys_read) {
  UNUSED;
  int64_t r = await(a[0].i, POLLIN, now_ms() + a[2].i);
  return r < 0 ? r : RETRY(read(a[0].i, a[1].p, a[1].n));
}
CALL(sys_write) {
  UNUSED;
  int64_t r = await(a[0].i, POLLOUT, now_ms() + a[2].i);
  return r < 0 ? r : RETRY(write(a[0].i, a[1].p, a[1].n < 4096 ? a[1].n : 4096));
}
CALL(sys_readall) {
  int64_t limit = a[1].i, deadline = now_ms() + a[2].i, r;
  size_t capacity = 4096;
  if (!(out->p = malloc(capacity))) return -ENOMEM;
  for (;;) {
    if (out->n == capacity) {
      uint8_t *larger = realloc(out->p, capacity *= 2);
      if (!larger) return -ENOMEM;
      out->p = larger;
    }
    if ((r = await(a[0].i, POLLIN, deadline)) < 0) return r;
    r = RETRY(read(a[0].i, out->p + out->n, capacity - out->n));
    if (r == -EAGAIN) continue;
    if (r <= 0) return r;
    if ((int64_t)(out->n += r) > limit) return -EFBIG;
  }
}
// flock has no timeout of its own; short naps cost a waiter little and need no signal.
CALL(sys_flock) {
  UNUSED;
  int64_t deadline = now_ms() + a[2].i, nap = 20000;
  for (;;) {
    int64_t r = RETRY(flock(a[0].i, a[1].i | LOCK_NB));
    if (r != -EWOULDBLOCK) return r;
    if (now_ms() >= deadline) return -ETIMEDOUT;
    nanosleep(&(struct timespec){0, nap}, NULL);
    if (nap < 1000000) nap *= 2;
  }
}
static int64_t give_status(Out *out, const struct stat *s) {
  int64_t v[] = {s->st_mode, s->st_size, s->st_mtim.tv_sec * 1000000000LL + s->st_mtim.tv_nsec,
                 s->st_ctim.tv_sec * 1000000000LL + s->st_ctim.tv_nsec, s->st_dev, s->st_ino,
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

// One read into a buffer that grows. 1: more may come, 0: end, else -errno.
static int64_t fill(int fd, Buffer *b) {
  if (b->capacity - b->n < 4096) {
    uint8_t *larger = realloc(b->p, b->capacity = b->capacity * 2 + 8192);
    if (!larger) return -ENOMEM;
    b->p = larger;
  }
  int64_t r = RETRY(read(fd, b->p + b->n, b->capacity - b->n));
  if (r == -EAGAIN) return 1;
  if (r > 0) b->n += r;
  return r > 0 ? 1 : r;
}

static void close_all(int *fds, int count) {
  for (int i = 0; i < count; i++) if (fds[i] >= 0) close(fds[i]);
}

// run(path, argv, env, stdin, flags, timeout): flags 1 captures stderr.
CALL(sys_run) {
  enum { IN_R, IN_W, OUT_R, OUT_W, ERR_R, ERR_W, PIDFD, COUNT };
  int fd[COUNT] = {-1, -1, -1, -1, -1, -1, -1}, status = 0;
  int64_t deadline = now_ms() + a[5].i, r = 0;
  pid_t pid = -1;
  size_t written = 0;
  Buffer output = {0}, errors = {0};
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_t actions;
  // A socket for stdin: writing to it can be told not to raise SIGPIPE.
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) < 0 || pipe2(fd + OUT_R, O_CLOEXEC) < 0 ||
      (a[4].i & 1 && pipe2(fd + ERR_R, O_CLOEXEC) < 0)) {
    r = -errno;
    close_all(fd, COUNT);
    return r;
  }
  shutdown(fd[IN_R], SHUT_WR);
  char **argv = vector(&a[1]), **env = vector(&a[2]);
  child_signals(&attributes);
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, fd[IN_R], 0);
  posix_spawn_file_actions_adddup2(&actions, fd[OUT_W], 1);
  if (fd[ERR_W] >= 0) posix_spawn_file_actions_adddup2(&actions, fd[ERR_W], 2);
  r = argv && env ? -posix_spawn(&pid, STR(0), &actions, &attributes, argv, env) : -ENOMEM;
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  free(argv);
  free(env);
  close(fd[IN_R]), close(fd[OUT_W]);
  if (fd[ERR_W] >= 0) close(fd[ERR_W]);
  fd[IN_R] = fd[OUT_W] = fd[ERR_W] = -1;
  if (r < 0) {
    close_all(fd, COUNT);
    return r;
  }
  fd[PIDFD] = syscall(SYS_pidfd_open, pid, 0);
  fcntl(fd[OUT_R], F_SETFL, O_NONBLOCK);
  if (fd[ERR_R] >= 0) fcntl(fd[ERR_R], F_SETFL, O_NONBLOCK);
  if (fd[PIDFD] < 0) r = -errno;
  // Until the child has ended. What it wrote is then in the pipes; a grandchild that keeps them open is not waited for.
  for (int ended = 0; r == 0 && !ended;) {
    if (fd[IN_W] >= 0 && written == a[3].n) close(fd[IN_W]), fd[IN_W] = -1;
    struct pollfd p[] = {{fd[OUT_R], POLLIN, 0}, {fd[ERR_R], POLLIN, 0}, {fd[IN_W], POLLOUT, 0}, {fd[PIDFD], POLLIN, 0}};
    int64_t left = deadline - now_ms();
    int ready = poll(p, 4, left < 0 ? 0 : left > 60000 ? 60000 : (int)left);
    if (ready < 0 && errno != EINTR) r = -errno;
    if (ready <= 0) {
      if (left <= 0) r = -ETIMEDOUT;
      continue;
    }
    ended = p[3].revents != 0;
    if (p[2].revents) {
      int64_t sent = RETRY(send(fd[IN_W], a[3].p + written, a[3].n - written, MSG_NOSIGNAL | MSG_DONTWAIT));
      if (sent > 0) written += sent;
      else if (sent != -EAGAIN) written = a[3].n; // it does not want to read: its own affair
    }
    Buffer *buffers[] = {&output, &errors};
    int *pipes[] = {&fd[OUT_R], &fd[ERR_R]};
    for (int i = 0; i < 2 && r == 0; i++) {
      int64_t more = 1;
      if (*pipes[i] < 0 || !p[i].revents) continue;
      do {
        size_t before = buffers[i]->n;
        more = fill(*pipes[i], buffers[i]);
        if (buffers[i]->n == before) break;
      } while (ended && more > 0);
      if (more < 0) r = more;
      if (more == 0) close(*pipes[i]), *pipes[i] = -1;
    }
  }
  if (r < 0) kill(-pid, SIGKILL);
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) ; // it has ended, or was just killed
  close_all(fd, COUNT);
  uint32_t head[] = {status, output.n};
  if (r == 0 && !(out->p = malloc(8 + output.n + errors.n + 1))) r = -ENOMEM;
  if (r == 0) {
    memcpy(out->p, head, 8);
    if (output.n) memcpy(out->p + 8, output.p, output.n);
    if (errors.n) memcpy(out->p + 8 + output.n, errors.p, errors.n);
    out->n = 8 + output.n + errors.n;
  }
  free(output.p);
  free(errors.p);
  return r;
}

// In the child of sys_start: its namespaces, its mounts, its program. Gives errno if it comes back.
static int become(int ns, const char *path, char **argv, char **env, char **binds) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  signal(SIGPIPE, SIG_DFL);
  if (ns >= 0) {
    if (setns(ns, CLONE_NEWNET) < 0 || unshare(CLONE_NEWNS) < 0) return errno;
    if (mount("", "/", "none", MS_SLAVE | MS_REC, NULL) < 0) return errno;
    // /sys shows the network namespace of who mounted it. Where that is refused, the old view stays.
    if (umount2("/sys", MNT_DETACH) == 0 && mount("sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0) return errno;
  }
  for (; binds[0] && binds[1]; binds += 2)
    if (mount(binds[1], binds[0], NULL, MS_BIND, NULL) < 0) return errno;
  execve(path, argv, env);
  return errno;
}

// start(ns, path, argv, env, binds): the pid of a child on our standard streams.
CALL(sys_start) {
  UNUSED;
  int report[2], error = 0;
  char **argv = vector(&a[2]), **env = vector(&a[3]), **binds = vector(&a[4]);
  pid_t pid = -1;
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
  int64_t r = RETRY(read(report[0], &error, sizeof error)); // ends when exec closes it, or with the reason
  close(report[0]);
  if (r <= 0) return pid;
  while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) ;
  return -error;
}
CALL(sys_wait) {
  UNUSED;
  int status, fd = syscall(SYS_pidfd_open, a[0].i, 0);
  if (fd < 0) return -errno;
  int64_t r = await(fd, POLLIN, now_ms() + a[1].i);
  close(fd);
  if (r == 0) r = RETRY(waitpid(a[0].i, &status, WNOHANG));
  return r < 0 ? r : status;
}
CALL(sys_kill) { UNUSED; return result(kill(a[0].i, a[1].i)); }
CALL(sys_signalfd) {
  UNUSED;
  sigset_t set;
  sigemptyset(&set);
  for (int n = 1; n <= 31; n++) if (a[0].i >> (n - 1) & 1) sigaddset(&set, n);
  if (sigprocmask(SIG_BLOCK, &set, NULL) < 0) return -errno;
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
  int64_t r = result(connect(a[0].i, (void *)a[1].p, a[1].n));
  if (r == -EINPROGRESS && (r = await(a[0].i, POLLOUT, now_ms() + a[2].i)) == 0)
    r = getsockopt(a[0].i, SOL_SOCKET, SO_ERROR, &error, &n) < 0 ? -errno : -error;
  fcntl(a[0].i, F_SETFL, flags);
  return r;
}
CALL(sys_listen) { UNUSED; return result(listen(a[0].i, a[1].i)); }
CALL(sys_accept) {
  UNUSED;
  int64_t r = await(a[0].i, POLLIN, now_ms() + a[1].i);
  return r < 0 ? r : RETRY(accept4(a[0].i, NULL, NULL, SOCK_CLOEXEC));
}
CALL(sys_setsockopt) { UNUSED; return result(setsockopt(a[0].i, a[1].i, a[2].i, a[3].p, a[3].n)); }
CALL(sys_send) {
  UNUSED;
  int64_t r = await(a[0].i, POLLOUT, now_ms() + a[2].i);
  return r < 0 ? r : RETRY(send(a[0].i, a[1].p, a[1].n, MSG_NOSIGNAL | MSG_DONTWAIT));
}
CALL(sys_sendto) {
  UNUSED;
  int64_t r = await(a[0].i, POLLOUT, now_ms() + a[3].i);
  return r < 0 ? r : RETRY(sendto(a[0].i, a[1].p, a[1].n, MSG_NOSIGNAL | MSG_DONTWAIT, (void *)a[2].p, a[2].n));
}
CALL(sys_recv) {
  UNUSED;
  int64_t r = await(a[0].i, POLLIN, now_ms() + a[2].i);
  if (r < 0) return r;
  r = RETRY(recv(a[0].i, a[1].p, a[1].n, MSG_TRUNC | MSG_DONTWAIT));
  return r > (int64_t)a[1].n ? -EMSGSIZE : r;
}
CALL(sys_poll) { UNUSED; return RETRY(poll((struct pollfd *)a[0].p, a[0].n / sizeof(struct pollfd), a[1].i)); }

// A message whose handling takes the kernel long is sent by a thread; the answer arrives on the socket as ever.
typedef struct {
  int fd;
  size_t n;
  uint8_t bytes[];
} Posted;

static void *post(void *argument) {
  Posted *posted = argument;
  while (send(posted->fd, posted->bytes, posted->n, MSG_NOSIGNAL) < 0 && errno == EINTR) ;
  close(posted->fd);
  free(posted);
  return NULL;
}
CALL(sys_post) {
  UNUSED;
  pthread_t thread;
  pthread_attr_t attributes;
  Posted *posted = malloc(sizeof *posted + a[1].n);
  if (!posted) return -ENOMEM;
  posted->n = a[1].n;
  memcpy(posted->bytes, a[1].p, a[1].n);
  if ((posted->fd = fcntl(a[0].i, F_DUPFD_CLOEXEC, 0)) < 0) {
    free(posted);
    return -errno;
  }
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&attributes, 64 << 10);
  int error = pthread_create(&thread, &attributes, post, posted);
  pthread_attr_destroy(&attributes);
  if (!error) return 0;
  close(posted->fd);
  free(posted);
  return -error;
}

// ---- The process and its surroundings

static int argument_count;
static char **arguments;
void sys_set_arguments(int argc, char **argv) { argument_count = argc, arguments = argv; }

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
  // Started with no argument at all: the kernel still knows the path.
  char *path = (char *)getauxval(AT_EXECFN);
  return argument_count > 0 ? give_list(out, arguments, argument_count) : give_list(out, &path, path != NULL);
}
CALL(sys_environ) {
  UNUSED;
  size_t count = 0;
  while (environ[count]) count++;
  return give_list(out, environ, count);
}
CALL(sys_random) { UNUSED; return RETRY(getrandom(a[0].p, a[0].n, 0)); }
CALL(sys_clock) {
  UNUSED;
  struct timespec t;
  return clock_gettime(a[0].i, &t) < 0 ? -errno : t.tv_sec * 1000000000LL + t.tv_nsec;
}
CALL(sys_isatty) { UNUSED; return isatty(a[0].i); }
CALL(sys_getpid) { UNUSED; return getpid(); }
CALL(sys_geteuid) { UNUSED; return geteuid(); }
CALL(sys_encode) { return give(out, a[0].p, a[0].n); }
CALL(sys_decode) { return give(out, a[0].p, a[0].n); }
CALL(sys_exit) { UNUSED; _exit(a[0].i); }

const Sys sys_table[] = {
    {"open", "iisii", sys_open},
    {"close", "ii", sys_close},
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
    {"readdir", "ts", sys_readdir},
    {"mount", "isssi", sys_mount},
    {"umount", "isi", sys_umount},
    {"nstype", "ii", sys_nstype},
    {"newnetns", "i", sys_newnetns},
    {"run", "bsttbii", sys_run},
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
    {"send", "iibi", sys_send},
    {"sendto", "iibbi", sys_sendto},
    {"post", "iib", sys_post},
    {"recv", "iibi", sys_recv},
    {"poll", "ibi", sys_poll},
    {"random", "ib", sys_random},
    {"clock", "ii", sys_clock},
    {"environ", "t", sys_environ},
    {"argv", "t", sys_argv},
    {"isatty", "ii", sys_isatty},
    {"getpid", "i", sys_getpid},
    {"geteuid", "i", sys_geteuid},
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
