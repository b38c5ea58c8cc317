/* The few system calls of tiny.c, without a C library where this knows how: no start-up code, no
 * relocation, no thread storage. Other processors take the C library's, linked statically. */
#ifndef BATON_BENCH_TINY_SYSTEM_H
#define BATON_BENCH_TINY_SYSTEM_H

#include <stddef.h>

#if defined(__x86_64__) || defined(__aarch64__)

#include <asm/unistd.h>

static inline long call3(long number, long a, long b, long c) {
#if defined(__x86_64__)
    long result = number;
    __asm__ volatile("syscall" : "+a"(result) : "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
    return result;
#else
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    __asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
    return x0;
#endif
}

#define CALL(name, a, b, c) call3(__NR_##name, (long)(a), (long)(b), (long)(c))

#if defined(__x86_64__)
#define TINY_ENTRY                                                                                 \
    __asm__(".globl _start\n_start:\nxor %ebp, %ebp\nmov %rsp, %rdi\nand $-16, %rsp\ncall "        \
            "enter\n")
#else
#define TINY_ENTRY __asm__(".globl _start\n_start:\nmov x0, sp\nbl enter\n")
#endif

/* The stack as the kernel leaves it: the number of arguments, these, a null pointer, the
 * environment. */
#define TINY_MAIN                                                                                  \
    TINY_ENTRY;                                                                                    \
    __attribute__((used)) _Noreturn void enter(const long *stack) {                                \
        const char *const *environment = (const char *const *)(stack + 1 + stack[0] + 1);          \
        long status = serve(environment);                                                          \
        for (;;)                                                                                   \
            CALL(exit_group, status, 0, 0);                                                        \
    }

#else

#include <sys/syscall.h>
#include <unistd.h>

#define CALL(name, a, b, c) syscall(__NR_##name, (long)(a), (long)(b), (long)(c))

#define TINY_MAIN                                                                                  \
    int main(void) {                                                                               \
        return (int)serve((const char *const *)environ);                                           \
    }

#endif

#endif
