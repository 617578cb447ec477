/* Stands between a program and the C library, and makes files and clocks fail as a test wants them
   to. What is to fail stands in a file that both have in memory: see `struct control`, of which
   tests/support/machine.rs knows the layout.

   Files: writing, flushing and cutting fail with an error number while their fields hold one, for
   files whose whole path matches a pattern; writing fails after so many bytes more.

   Clock: the time of day is moved by so many seconds, and waits for a moment of the day end when
   that moment has come by the moved clock, as the kernel has it when somebody sets the clock. */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

struct control {
    int64_t clock_shift_s;
    int64_t room; /* how many bytes may still be written */
    int32_t write_error, flush_error, cut_error, failed;
    char pattern[256];
};

static struct control *control;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("FAULTS_CONTROL");
    int file = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *shared = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (shared != MAP_FAILED) control = shared;
}

/* Whether something is to fail for this file; tells of it by counting. */
static int fails(int file, const volatile int32_t *error) {
    if (!control || !*error) return 0;
    char link[64], path[1024];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    if (fnmatch(control->pattern, path, 0)) return 0;
    __atomic_add_fetch(&control->failed, 1, __ATOMIC_SEQ_CST);
    errno = *error;
    return 1;
}

/* How many of these bytes may be written; -1 if none, with the error in `errno`. */
static ssize_t allowed(int file, size_t bytes) {
    if (!control || !control->write_error) return bytes;
    int64_t room = control->room;
    if (room > 0 && fails(file, &control->write_error)) {
        int64_t take = room < (int64_t)bytes ? room : (int64_t)bytes;
        __atomic_sub_fetch(&control->room, take, __ATOMIC_SEQ_CST);
        return take;
    }
    return fails(file, &control->write_error) ? -1 : (ssize_t)bytes;
}

ssize_t write(int file, const void *from, size_t bytes) {
    ssize_t allow = allowed(file, bytes);
    return allow < 0 ? -1 : syscall(SYS_write, file, from, allow);
}

ssize_t writev(int file, const struct iovec *parts, int count) {
    size_t bytes = 0;
    for (int at = 0; at < count; at++) bytes += parts[at].iov_len;
    ssize_t allow = allowed(file, bytes);
    if (allow < 0) return -1;
    if ((size_t)allow == bytes) return syscall(SYS_writev, file, parts, count);
    /* A part of it is a whole answer. */
    ssize_t done = 0;
    for (int at = 0; at < count && allow > done; at++) {
        size_t left = allow - done, length = parts[at].iov_len;
        ssize_t written = syscall(SYS_write, file, parts[at].iov_base, length < left ? length : left);
        if (written < 0) return done ? done : -1;
        done += written;
    }
    return done;
}

int fsync(int file) {
    return fails(file, &control->flush_error) ? -1 : syscall(SYS_fsync, file);
}

int fdatasync(int file) {
    return fails(file, &control->flush_error) ? -1 : syscall(SYS_fdatasync, file);
}

int ftruncate(int file, off_t length) {
    return fails(file, &control->cut_error) ? -1 : syscall(SYS_ftruncate, file, length);
}

int ftruncate64(int file, off64_t length) {
    return fails(file, &control->cut_error) ? -1 : syscall(SYS_ftruncate, file, length);
}

static int64_t shift(void) { return control ? control->clock_shift_s : 0; }

int clock_gettime(clockid_t clock, struct timespec *time) {
    int result = syscall(SYS_clock_gettime, clock, time);
    if (!result && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        time->tv_sec += shift();
    return result;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    time->tv_sec = now.tv_sec;
    time->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *to) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (to) *to = now.tv_sec;
    return now.tv_sec;
}

int timespec_get(struct timespec *time, int base) {
    return clock_gettime(CLOCK_REALTIME, time) ? 0 : base;
}

static int64_t nanos(struct timespec time) { return time.tv_sec * 1000000000LL + time.tv_nsec; }

int pthread_cond_timedwait(pthread_cond_t *restrict signal, pthread_mutex_t *restrict mutex,
                           const struct timespec *restrict until) {
    const int64_t slice = 20 * 1000 * 1000;
    /* No time of day is that small; it is the time since the machine was started. */
    clockid_t clock = until->tv_sec < 500000000 ? CLOCK_MONOTONIC : CLOCK_REALTIME;
    for (;;) {
        struct timespec now, wake;
        clock_gettime(clock, &now);
        int64_t left = nanos(*until) - nanos(now);
        if (left <= 0) return ETIMEDOUT;
        clock_gettime(CLOCK_MONOTONIC, &wake);
        int64_t end = nanos(wake) + (left < slice ? left : slice);
        wake.tv_sec = end / 1000000000LL;
        wake.tv_nsec = end % 1000000000LL;
        int result = pthread_cond_clockwait(signal, mutex, CLOCK_MONOTONIC, &wake);
        if (result != ETIMEDOUT) return result;
    }
}

int cnd_timedwait(cnd_t *restrict signal, mtx_t *restrict mutex,
                  const struct timespec *restrict until) {
    int result = pthread_cond_timedwait((pthread_cond_t *)signal, (pthread_mutex_t *)mutex, until);
    return result == 0 ? thrd_success : result == ETIMEDOUT ? thrd_timedout : thrd_error;
}
