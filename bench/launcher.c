// Runs a program and writes its peak memory, in KB, as the last line on stderr.
//
//   launcher PROGRAM [ARGUMENT...]
//
// A process starts with the peak of the one that it was forked from (getrusage(2): ru_maxrss survives execve).
// So the parent must be small: this one is, where node would show its own 60 MB.
#include <spawn.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>

extern char **environ;

int main(int argc, char **argv) {
  struct rusage usage;
  int status = 0;
  pid_t pid;
  if (argc < 2 || posix_spawn(&pid, argv[1], NULL, NULL, argv + 1, environ) != 0) return 127;
  if (wait4(pid, &status, 0, &usage) < 0) return 126;
  dprintf(2, "%ld\n", usage.ru_maxrss);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 125;
}
