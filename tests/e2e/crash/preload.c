/* Preloaded into the program that is killed. It counts the calls by which a process changes something
 * outside itself, and at one of them kills the process or has the system refuse the call. It also moves the
 * clock. The orders, and what was seen, are in a file that the harness shares: see preload.rs. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum class { WRITE, SYNC, TRUNCATE, RENAME, REMOVE, OPEN, MAKE_FOLDER, SEND, CLASSES };
enum moment { BEFORE, HALFWAY, AFTER };

struct shared {
    /* Orders. Calls are counted from 1; 0 is never. */
    uint64_t kill_classes, kill_at, kill_moment;
    uint64_t fail_classes, fail_from, fail_errno;
    int64_t clock_offset;
    uint64_t jump_at;
    int64_t jump_by;
    /* What was seen. */
    uint64_t calls[CLASSES];
    uint64_t candidates, refusable, refused;
    uint64_t killed_in; /* class + 1 */
    char killed_at[1024];
};

static struct shared *shared;

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("CRASH_ORDERS");
    if (path == NULL)
        return;
    int file = syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
    if (file < 0)
        abort();
    void *memory = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    syscall(SYS_close, file);
    if (memory == MAP_FAILED)
        abort();
    shared = memory;
}

#define REAL(name) \
    static __typeof__(&name) real; \
    if (real == NULL) \
        real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

static uint64_t next(uint64_t *counter)
{
    return __atomic_add_fetch(counter, 1, __ATOMIC_SEQ_CST);
}

static uint64_t all_calls(void)
{
    uint64_t sum = 0;
    for (int class = 0; class < CLASSES; class++)
        sum += __atomic_load_n(&shared->calls[class], __ATOMIC_RELAXED);
    return sum;
}

static void die(enum class class, int file, const char *path)
{
    char link[64];
    shared->killed_in = class + 1;
    if (path != NULL) {
        snprintf(shared->killed_at, sizeof shared->killed_at, "%s", path);
    } else {
        snprintf(link, sizeof link, "/proc/self/fd/%d", file);
        ssize_t length = readlink(link, shared->killed_at, sizeof shared->killed_at - 1);
        shared->killed_at[length < 0 ? 0 : length] = 0;
    }
    syscall(SYS_kill, syscall(SYS_getpid), SIGKILL);
    for (;;)
        pause();
}

struct verdict {
    int dies;
    int refused;
};

/* Counts a call; it kills here if that is to be before the call. */
static struct verdict count(enum class class, int file, const char *path)
{
    struct verdict verdict = {0, 0};
    if (shared == NULL)
        return verdict;
    next(&shared->calls[class]);
    if (shared->kill_classes & (1u << class) && next(&shared->candidates) == shared->kill_at) {
        if (shared->kill_moment == BEFORE)
            die(class, file, path);
        verdict.dies = 1;
    }
    if (shared->fail_classes & (1u << class)) {
        uint64_t number = next(&shared->refusable);
        if (shared->fail_from != 0 && number >= shared->fail_from) {
            next(&shared->refused);
            verdict.refused = 1;
        }
    }
    return verdict;
}

static int refuse(void)
{
    errno = shared->fail_errno;
    return -1;
}

/* The calls with a descriptor, and those with a path. */
#define COUNTED(class, file, path, call) \
    do { \
        struct verdict verdict = count(class, file, path); \
        if (verdict.refused) \
            return refuse(); \
        __typeof__(call) result = call; \
        if (verdict.dies) \
            die(class, file, path); \
        return result; \
    } while (0)

/* Files and sockets count; pipes, terminals and events are the process's own affair. */
static int class_of(int file)
{
    struct stat status;
    if (shared == NULL || file <= 2 || fstat(file, &status) != 0)
        return -1;
    if (S_ISREG(status.st_mode))
        return WRITE;
    return S_ISSOCK(status.st_mode) ? SEND : -1;
}

static int cut(struct verdict verdict, size_t size)
{
    return verdict.dies && shared->kill_moment == HALFWAY && size > 1;
}

#define WRITTEN(name, size, whole, half) \
    REAL(name); \
    int class = class_of(file); \
    if (class < 0) \
        return whole; \
    struct verdict verdict = count(class, file, NULL); \
    if (verdict.refused) \
        return refuse(); \
    ssize_t result = cut(verdict, size) ? half : whole; \
    if (verdict.dies) \
        die(class, file, NULL); \
    return result

ssize_t write(int file, const void *bytes, size_t size)
{
    WRITTEN(write, size, real(file, bytes, size), real(file, bytes, size / 2));
}

ssize_t pwrite(int file, const void *bytes, size_t size, off_t at)
{
    WRITTEN(pwrite, size, real(file, bytes, size, at), real(file, bytes, size / 2, at));
}

ssize_t pwrite64(int file, const void *bytes, size_t size, off64_t at)
{
    WRITTEN(pwrite64, size, real(file, bytes, size, at), real(file, bytes, size / 2, at));
}

ssize_t writev(int file, const struct iovec *parts, int number)
{
    WRITTEN(writev, (size_t)number, real(file, parts, number), real(file, parts, number / 2));
}

ssize_t send(int file, const void *bytes, size_t size, int flags)
{
    WRITTEN(send, size, real(file, bytes, size, flags), real(file, bytes, size / 2, flags));
}

ssize_t sendmsg(int file, const struct msghdr *message, int flags)
{
    WRITTEN(sendmsg, 1, real(file, message, flags), real(file, message, flags));
}

int fsync(int file)
{
    REAL(fsync);
    COUNTED(SYNC, file, NULL, real(file));
}

int fdatasync(int file)
{
    REAL(fdatasync);
    COUNTED(SYNC, file, NULL, real(file));
}

int ftruncate(int file, off_t size)
{
    REAL(ftruncate);
    COUNTED(TRUNCATE, file, NULL, real(file, size));
}

int ftruncate64(int file, off64_t size)
{
    REAL(ftruncate64);
    COUNTED(TRUNCATE, file, NULL, real(file, size));
}

int rename(const char *from, const char *to)
{
    REAL(rename);
    COUNTED(RENAME, -1, to, real(from, to));
}

int unlink(const char *path)
{
    REAL(unlink);
    COUNTED(REMOVE, -1, path, real(path));
}

int unlinkat(int folder, const char *path, int flags)
{
    REAL(unlinkat);
    COUNTED(REMOVE, -1, path, real(folder, path, flags));
}

int mkdir(const char *path, mode_t mode)
{
    REAL(mkdir);
    COUNTED(MAKE_FOLDER, -1, path, real(path, mode));
}

/* Only what is opened for writing counts. */
#define OPENED(name, ...) \
    REAL(name); \
    mode_t mode = 0; \
    if (flags & (O_CREAT | __O_TMPFILE)) { \
        va_list more; \
        va_start(more, flags); \
        mode = va_arg(more, mode_t); \
        va_end(more); \
    } \
    if ((flags & O_ACCMODE) == O_RDONLY && !(flags & O_CREAT)) \
        return real(__VA_ARGS__, flags, mode); \
    COUNTED(OPEN, -1, path, real(__VA_ARGS__, flags, mode))

int open(const char *path, int flags, ...)
{
    OPENED(open, path);
}

int open64(const char *path, int flags, ...)
{
    OPENED(open64, path);
}

int openat(int folder, const char *path, int flags, ...)
{
    OPENED(openat, folder, path);
}

int openat64(int folder, const char *path, int flags, ...)
{
    OPENED(openat64, folder, path);
}

static int64_t offset(void)
{
    if (shared == NULL)
        return 0;
    int jumped = shared->jump_at != 0 && all_calls() >= shared->jump_at;
    return shared->clock_offset + (jumped ? shared->jump_by : 0);
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int result = syscall(SYS_clock_gettime, clock, now);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        now->tv_sec += offset();
    return result;
}

int gettimeofday(struct timeval *now, void *zone)
{
    struct timespec precise;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &precise) != 0)
        return -1;
    now->tv_sec = precise.tv_sec;
    now->tv_usec = precise.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *seconds)
{
    struct timespec precise;
    if (clock_gettime(CLOCK_REALTIME, &precise) != 0)
        return -1;
    if (seconds != NULL)
        *seconds = precise.tv_sec;
    return precise.tv_sec;
}
