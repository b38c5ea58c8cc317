/* A library for LD_PRELOAD: batond finds a system that cannot refuse descriptors to who sends them,
 * as Linux before 6.16. */
#include <errno.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PASSRIGHTS 83 /* SO_PASSRIGHTS */

int setsockopt(int descriptor, int level, int name, const void *value, socklen_t length) {
    if (level == SOL_SOCKET && name == PASSRIGHTS) {
        errno = ENOPROTOOPT;
        return -1;
    }
    return (int)syscall(SYS_setsockopt, descriptor, level, name, value, length);
}
