// Cuts files in the middle of a block while the transaction that holds the block commits.  For a
// file system mounted with data=journal; only write(2), ftruncate(2) and fsync(2), no mmap.
//
//   cut-tail SECONDS [CUT]     in the current folder
//
// Each of two processes writes a file of 64 blocks and, while a child of it calls fsync(), cuts the
// file to ever fewer blocks, each time CUT (1000) bytes before the end of a block.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { kBlocks = 64, kBlockBytes = 4096, kFiles = 2 };
static off_t cut = 1000;  // so many bytes before the end of a block

static void one_round(const char* name, int byte) {
  static char bytes[kBlocks * kBlockBytes];
  memset(bytes, byte, sizeof bytes);
  const int fd = open(name, O_CREAT | O_RDWR, 0600);
  if (fd < 0 || pwrite(fd, bytes, sizeof bytes, 0) != sizeof bytes) _exit(1);
  const pid_t child = fork();
  if (child == 0) _exit(fsync(fd) != 0);
  for (int n = kBlocks; n > 1; --n) {
    if (ftruncate(fd, (off_t)n * kBlockBytes - cut) != 0) _exit(1);
  }
  int status = 0;
  if (waitpid(child, &status, 0) != child || status != 0) _exit(1);
  close(fd);
}

int main(int count, char** words) {
  const time_t end = time(NULL) + (count > 1 ? atoi(words[1]) : 10);
  if (count > 2) cut = atoi(words[2]);
  for (int i = 0; i < kFiles; ++i) {
    if (fork() != 0) continue;
    char name[] = "f0";
    name[1] = (char)('0' + i);
    while (time(NULL) < end) one_round(name, 'A' + i);
    _exit(0);
  }
  int failed = 0;
  for (int i = 0; i < kFiles; ++i) {
    int status = 0;
    failed |= wait(&status) < 0 || status != 0;
  }
  return failed;
}
