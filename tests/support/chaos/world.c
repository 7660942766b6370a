/* The outside world of a process, as a test wants it: its wall clock and whether its disks are full.

   Loaded by LD_PRELOAD into each process of a project. All of them map one small file (WORLD_FILE), which the test
   writes: seconds that the clock is ahead, and one flag for each folder of WORLD_FOLDERS (separated by colons) whose disk is
   full. The monotonic clock stays as it is, as when somebody sets the clock of a machine. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

struct world { volatile long long ahead_nanoseconds; volatile unsigned char full[8]; };
static const struct world calm;
static const struct world *world = &calm;
static const char *folders[8];

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("WORLD_FILE"), *list = getenv("WORLD_FOLDERS");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *found = mmap(NULL, sizeof *world, PROT_READ, MAP_SHARED, file, 0);
    close(file);
    if (found != MAP_FAILED) world = found;
    char *copy = list ? strdup(list) : NULL, *rest = copy, *one;
    for (int number = 0; copy && number < 8 && (one = strsep(&rest, ":")); number++) folders[number] = one;
}

#define REAL(name) static __typeof__(name) *real; if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

static long long nanoseconds(void) {
    struct timespec now;
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    real(CLOCK_REALTIME, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec + world->ahead_nanoseconds;
}

int clock_gettime(clockid_t clock, struct timespec *at) {
    REAL(clock_gettime);
    if (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE) return real(clock, at);
    long long now = nanoseconds();
    at->tv_sec = now / 1000000000LL, at->tv_nsec = now % 1000000000LL;
    return 0;
}

int gettimeofday(struct timeval *restrict at, void *restrict zone) {
    long long now = nanoseconds();
    (void)zone;
    at->tv_sec = now / 1000000000LL, at->tv_usec = now % 1000000000LL / 1000;
    return 0;
}

time_t time(time_t *at) {
    time_t now = nanoseconds() / 1000000000LL;
    if (at) *at = now;
    return now;
}

static int is_full(const char *path) {
    for (int number = 0; number < 8 && folders[number]; number++) {
        size_t length = strlen(folders[number]);
        if (world->full[number] && !strncmp(path, folders[number], length) && (!path[length] || path[length] == '/'))
            return 1;
    }
    return 0;
}

static int no_room(int file) {
    long long any;
    char link[32], path[PATH_MAX];
    memcpy(&any, (const void *)world->full, sizeof any);
    if (!any) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0 || path[0] != '/') return 0;
    path[length] = 0;
    return is_full(path);
}

#define REFUSE(file) do { if (no_room(file)) { errno = ENOSPC; return -1; } } while (0)

ssize_t write(int file, const void *from, size_t size) { REAL(write); REFUSE(file); return real(file, from, size); }
ssize_t writev(int file, const struct iovec *from, int count) { REAL(writev); REFUSE(file); return real(file, from, count); }
ssize_t pwrite(int file, const void *from, size_t size, off_t at) { REAL(pwrite); REFUSE(file); return real(file, from, size, at); }
ssize_t pwrite64(int file, const void *from, size_t size, off64_t at) { REAL(pwrite64); REFUSE(file); return real(file, from, size, at); }
int fallocate(int file, int mode, off_t at, off_t size) { REAL(fallocate); REFUSE(file); return real(file, mode, at, size); }
int posix_fallocate(int file, off_t at, off_t size) { REAL(posix_fallocate); if (no_room(file)) return ENOSPC; return real(file, at, size); }

static int full_statistics(const char *path, struct statvfs *about) {
    char whole[PATH_MAX];
    long long any;
    memcpy(&any, (const void *)world->full, sizeof any);
    if (any && realpath(path, whole) && is_full(whole)) about->f_bavail = about->f_bfree = 0;
    return 0;
}

int statvfs(const char *restrict path, struct statvfs *restrict about) {
    REAL(statvfs);
    int told = real(path, about);
    return told ? told : full_statistics(path, about);
}

int statvfs64(const char *restrict path, struct statvfs64 *restrict about) {
    REAL(statvfs64);
    int told = real(path, about);
    return told ? told : full_statistics(path, (struct statvfs *)about);
}
