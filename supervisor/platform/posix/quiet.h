/*
 * A system call that does not touch errno. A child that runs in our memory has ours: what libc
 * writes there for us could be taken for why the child's step has failed.
 */
#ifndef BATON_PLATFORM_POSIX_QUIET_H
#define BATON_PLATFORM_POSIX_QUIET_H

/* posix_call_quietly(): returns what the kernel does, which is the negative number of an error.
 * Where an architecture is not in the list there is none. */
#define POSIX_CALLS_QUIETLY 1
#define QUIET_ARGUMENTS long number, long first, long second, long third, long fourth

#if defined __x86_64__ && defined __LP64__
static inline long posix_call_quietly(QUIET_ARGUMENTS) {
    long result;
    register long in_r10 __asm__("r10") = fourth;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(first), "S"(second), "d"(third), "r"(in_r10)
                     : "rcx", "r11", "memory");
    return result;
}
#elif defined __i386__
static inline long posix_call_quietly(QUIET_ARGUMENTS) {
    long result;
    __asm__ volatile("int $0x80"
                     : "=a"(result)
                     : "a"(number), "b"(first), "c"(second), "d"(third), "S"(fourth)
                     : "memory");
    return result;
}
#elif defined __aarch64__ && defined __LP64__
static inline long posix_call_quietly(QUIET_ARGUMENTS) {
    register long in_x8 __asm__("x8") = number;
    register long in_x0 __asm__("x0") = first;
    register long in_x1 __asm__("x1") = second;
    register long in_x2 __asm__("x2") = third;
    register long in_x3 __asm__("x3") = fourth;
    __asm__ volatile("svc 0"
                     : "+r"(in_x0)
                     : "r"(in_x8), "r"(in_x1), "r"(in_x2), "r"(in_x3)
                     : "memory");
    return in_x0;
}
#elif defined __arm__
/* r7, which has the number, may be the pointer to the frame. */
static inline long posix_call_quietly(QUIET_ARGUMENTS) {
    long saved;
    register long in_r0 __asm__("r0") = first;
    register long in_r1 __asm__("r1") = second;
    register long in_r2 __asm__("r2") = third;
    register long in_r3 __asm__("r3") = fourth;
    __asm__ volatile("mov %[saved], r7\n\tmov r7, %[number]\n\tsvc 0\n\tmov r7, %[saved]"
                     : "+r"(in_r0), [saved] "=&r"(saved)
                     : "r"(in_r1), "r"(in_r2), "r"(in_r3), [number] "r"(number)
                     : "memory");
    return in_r0;
}
#else
#undef POSIX_CALLS_QUIETLY
#define POSIX_CALLS_QUIETLY 0
#endif

#undef QUIET_ARGUMENTS

#endif
