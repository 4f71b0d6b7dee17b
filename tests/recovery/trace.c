/* Stops or disturbs a process at the n-th change that it makes to the files below one folder.
 *
 * Counts over all threads, in the order in which the kernel meets the calls: `strace -e inject=...:when=N` counts for each thread on its own, and
 * so never reaches most calls of a process with several. A seccomp filter stops the process at calls that can change files and at no others.
 * x86-64 only. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

enum crash_action {
    CRASH_NONE = 0,
    /* SIGKILL instead of the call. */
    CRASH_BEFORE = 1,
    /* SIGKILL when the call has had its effect. */
    CRASH_AFTER = 2,
    /* A write of half of the bytes, then SIGKILL; other calls as CRASH_AFTER. */
    CRASH_TORN = 3,
    /* The call gives `error` and has no effect. */
    CRASH_ERROR = 4,
    /* From here on each call gives `error`; removals too, unless there is no space. */
    CRASH_ERRORS = 5,
    /* From here on a write writes half of its bytes, and says so. */
    CRASH_SHORT = 6,
};

struct crash_plan {
    const char *folder;
    /* The first change is 0. */
    long long at;
    int action;
    int error;
    /* Then it is killed, and `is_late` says so. */
    int milliseconds;
};

struct crash_report {
    /* How many changes were asked for. */
    long long count;
    /* As waitpid gives it. */
    int status;
    int is_late;
    /* The call at `at`, if the process came there: its number, and the path below the folder. */
    int is_hit;
    long long call;
    char path[512];
};

enum place { BY_PATH, BY_PATH_AT, BY_DESCRIPTOR };
/* The argument that says what is changed: a path, a directory's descriptor and a path behind it, or a descriptor. */
static const struct { int number; enum place place; int argument; int is_removal; int is_write; } calls[] = {
    {SYS_open, BY_PATH, 0, 0, 0},          {SYS_openat, BY_PATH_AT, 0, 0, 0},       {SYS_creat, BY_PATH, 0, 0, 0},
    {SYS_write, BY_DESCRIPTOR, 0, 0, 1},   {SYS_pwrite64, BY_DESCRIPTOR, 0, 0, 1},  {SYS_writev, BY_DESCRIPTOR, 0, 0, 0},
    {SYS_pwritev, BY_DESCRIPTOR, 0, 0, 0}, {SYS_ftruncate, BY_DESCRIPTOR, 0, 0, 0}, {SYS_truncate, BY_PATH, 0, 0, 0},
    {SYS_fallocate, BY_DESCRIPTOR, 0, 0, 0}, {SYS_fsync, BY_DESCRIPTOR, 0, 0, 0},   {SYS_fdatasync, BY_DESCRIPTOR, 0, 0, 0},
    {SYS_sync_file_range, BY_DESCRIPTOR, 0, 0, 0}, {SYS_copy_file_range, BY_DESCRIPTOR, 2, 0, 0},
    {SYS_rename, BY_PATH, 1, 0, 0},        {SYS_renameat, BY_PATH_AT, 2, 0, 0},     {SYS_renameat2, BY_PATH_AT, 2, 0, 0},
    {SYS_link, BY_PATH, 1, 0, 0},          {SYS_linkat, BY_PATH_AT, 2, 0, 0},       {SYS_symlink, BY_PATH, 1, 0, 0},
    {SYS_symlinkat, BY_PATH_AT, 1, 0, 0},  {SYS_unlink, BY_PATH, 0, 1, 0},          {SYS_unlinkat, BY_PATH_AT, 0, 1, 0},
    {SYS_rmdir, BY_PATH, 0, 1, 0},         {SYS_mkdir, BY_PATH, 0, 0, 0},           {SYS_mkdirat, BY_PATH_AT, 0, 0, 0},
};
enum { CALL_COUNT = sizeof calls / sizeof *calls };

static int add(struct sock_filter *filter, int length, unsigned short code, unsigned char yes, unsigned char no, unsigned value)
{
    filter[length] = (struct sock_filter){code, yes, no, value};
    return length + 1;
}

/* Opening changes something where it creates or empties a file. */
static int add_open(struct sock_filter *filter, int length, int number, int argument)
{
    length = add(filter, length, BPF_JMP | BPF_JEQ | BPF_K, 0, 4, (unsigned)number);
    length = add(filter, length, BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, args) + 8u * (unsigned)argument);
    length = add(filter, length, BPF_JMP | BPF_JSET | BPF_K, 0, 1, O_CREAT | O_TRUNC);
    length = add(filter, length, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_TRACE);
    return add(filter, length, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW);
}

/* In the process that is to be traced, before it does anything: waits for the tracer. Gives 0, or an errno. */
int crash_begin(void)
{
    struct sock_filter filter[3 * CALL_COUNT + 16];
    int length = add(filter, 0, BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr));
    length = add_open(filter, length, SYS_openat, 2);
    length = add_open(filter, length, SYS_open, 1);
    for (int n = 0; n < CALL_COUNT; n++) {
        if (calls[n].number == SYS_openat || calls[n].number == SYS_open) continue;
        length = add(filter, length, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, (unsigned)calls[n].number);
        length = add(filter, length, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_TRACE);
    }
    length = add(filter, length, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW);
    struct sock_fprog program = {(unsigned short)length, filter};
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0) return errno;
    raise(SIGSTOP);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return errno;
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) return errno;
    return 0;
}

/* What a link of /proc says; empty if nothing. */
static void read_link(const char *link, char *path)
{
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    path[length < 0 ? 0 : length] = 0;
}

static void read_string(pid_t thread, unsigned long long address, char *text)
{
    size_t length = 0;
    while (length < PATH_MAX - 1) {
        /* Not over the border of a page: the next one may not be there. */
        size_t part = 4096 - (address + length) % 4096;
        if (part > PATH_MAX - 1 - length) part = PATH_MAX - 1 - length;
        struct iovec here = {text + length, part}, there = {(void *)(uintptr_t)(address + length), part};
        ssize_t got = process_vm_readv(thread, &here, 1, &there, 1, 0);
        if (got <= 0) break;
        if (memchr(text + length, 0, (size_t)got) != NULL) return;
        length += (size_t)got;
    }
    text[length] = 0;
}

static unsigned long long argument(const struct user_regs_struct *registers, int index)
{
    switch (index) {
    case 0: return registers->rdi;
    case 1: return registers->rsi;
    case 2: return registers->rdx;
    case 3: return registers->r10;
    default: return registers->r8;
    }
}

/* The absolute path that a call changes. */
static void find_path(pid_t thread, const struct user_regs_struct *registers, int call, char *path)
{
    char link[64], rest[PATH_MAX];
    int index = calls[call].argument;
    if (calls[call].place == BY_DESCRIPTOR) {
        snprintf(link, sizeof link, "/proc/%d/fd/%d", thread, (int)argument(registers, index));
        read_link(link, path);
        return;
    }
    int is_at = calls[call].place == BY_PATH_AT;
    int directory = is_at ? (int)argument(registers, index) : AT_FDCWD;
    read_string(thread, argument(registers, index + is_at), rest);
    if (rest[0] == '/') {
        strcpy(path, rest);
        return;
    }
    if (directory == AT_FDCWD) snprintf(link, sizeof link, "/proc/%d/cwd", thread);
    else snprintf(link, sizeof link, "/proc/%d/fd/%d", thread, directory);
    read_link(link, path);
    size_t length = strlen(path), more = strlen(rest);
    if (length + more + 2 > PATH_MAX) return;
    path[length] = '/';
    memcpy(path + length + 1, rest, more + 1);
}

/* Where it is below the folder; NULL if it is not. */
static const char *below(const char *path, const char *folder)
{
    size_t length = strlen(folder);
    if (strncmp(path, folder, length) != 0) return NULL;
    if (path[length] == 0) return "";
    return path[length] == '/' ? path + length + 1 : NULL;
}

static void on_alarm(int signal) { (void)signal; }

/* A call is about to be made. Gives whether its end is waited for. */
static int meet(pid_t thread, pid_t process, const struct crash_plan *plan, struct crash_report *report)
{
    struct user_regs_struct registers;
    if (ptrace(PTRACE_GETREGS, thread, NULL, &registers) != 0) return 0;
    int call = 0;
    while (call < CALL_COUNT && calls[call].number != (int)registers.orig_rax) call++;
    if (call == CALL_COUNT) return 0;
    char path[PATH_MAX + 1];
    find_path(thread, &registers, call, path);
    const char *name = below(path, plan->folder);
    if (name == NULL) return 0;
    long long number = report->count++;
    if (number < plan->at) return 0;
    if (number == plan->at) {
        report->is_hit = 1;
        report->call = (long long)registers.orig_rax;
        snprintf(report->path, sizeof report->path, "%s", name);
    }
    int is_forever = plan->action == CRASH_ERRORS || plan->action == CRASH_SHORT;
    if (number > plan->at && !is_forever) return 0;
    switch (plan->action) {
    case CRASH_BEFORE: kill(process, SIGKILL); return 0;
    case CRASH_AFTER: return 1;
    case CRASH_TORN:
    case CRASH_SHORT:
        if (calls[call].is_write && registers.rdx > 1) {
            registers.rdx /= 2;
            ptrace(PTRACE_SETREGS, thread, NULL, &registers);
        }
        return plan->action == CRASH_TORN;
    case CRASH_ERROR:
    case CRASH_ERRORS:
        if (calls[call].is_removal && plan->error == ENOSPC) return 0;
        registers.orig_rax = (unsigned long long)-1;
        registers.rax = (unsigned long long)-plan->error;
        ptrace(PTRACE_SETREGS, thread, NULL, &registers);
        return 0;
    default: return 0;
    }
}

/* Follows a child that is in `crash_begin` to its end. Gives 0, or an errno. The caller has no other children. */
int crash_trace(pid_t process, const struct crash_plan *plan, struct crash_report *report)
{
    memset(report, 0, sizeof *report);
    int status;
    if (waitpid(process, &status, __WALL) != process) return errno;
    if (!WIFSTOPPED(status)) return report->status = status, ECHILD;
    long options = PTRACE_O_TRACESECCOMP | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD;
    if (ptrace(PTRACE_SETOPTIONS, process, NULL, options) != 0 || ptrace(PTRACE_CONT, process, NULL, 0) != 0) {
        int error = errno;
        kill(process, SIGKILL);
        waitpid(process, &status, __WALL);
        return error;
    }
    struct sigaction action = {.sa_handler = on_alarm}, before;
    sigaction(SIGALRM, &action, &before);
    struct itimerval timer = {.it_value = {plan->milliseconds / 1000, plan->milliseconds % 1000 * 1000}, .it_interval = {0, 100000}}, none = {0};
    setitimer(ITIMER_REAL, &timer, NULL);
    int result = 0;
    for (;;) {
        pid_t thread = waitpid(-1, &status, __WALL);
        if (thread < 0 && errno == EINTR) {
            report->is_late = 1;
            kill(process, SIGKILL);
            continue;
        }
        if (thread < 0) {
            result = errno;
            break;
        }
        if (WIFEXITED(status) || WIFSIGNALED(status)) {
            if (thread != process) continue;
            report->status = status;
            break;
        }
        int signal = WSTOPSIG(status), event = status >> 16;
        int waits = 0;
        if (signal == (SIGTRAP | 0x80)) {
            kill(process, SIGKILL);
            signal = 0;
        } else if (event == PTRACE_EVENT_SECCOMP) {
            waits = meet(thread, process, plan, report);
            signal = 0;
        } else if (event != 0 || signal == SIGSTOP || signal == SIGTRAP) {
            /* New threads begin with a SIGSTOP. */
            signal = 0;
        }
        ptrace(waits ? PTRACE_SYSCALL : PTRACE_CONT, thread, NULL, signal);
    }
    setitimer(ITIMER_REAL, &none, NULL);
    sigaction(SIGALRM, &before, NULL);
    return result;
}
