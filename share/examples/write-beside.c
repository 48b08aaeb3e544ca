// Writes one block into a range that was preallocated where another file lay.  Nothing is done
// twice and nothing runs beside it, so what a power cut leaves is the same each time.
//
//   write-beside          in the root of a new file system that is mounted with data=journal
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { kBlocks = 64, kBlockBytes = 4096, kWritten = 3 };

int main(void) {
  static char bytes[kBlocks * kBlockBytes];
  memset(bytes, 'A', sizeof bytes);
  const int folder = open(".", O_RDONLY | O_DIRECTORY);
  const int old = open("a", O_CREAT | O_WRONLY, 0600);
  if (write(old, bytes, sizeof bytes) != sizeof bytes || fsync(old) != 0) return 1;
  close(old);
  if (unlink("a") != 0 || fsync(folder) != 0) return 2;
  const int file = open("b", O_CREAT | O_RDWR, 0600);
  if (posix_fallocate(file, 0, sizeof bytes) != 0) return 3;
  memset(bytes, 'B', kBlockBytes);
  if (pwrite(file, bytes, kBlockBytes, kWritten * kBlockBytes) != kBlockBytes) return 4;
  return fsync(file) == 0 ? 0 : 5;
}
