#include "platform/posix/reserve.h"

#include <fcntl.h>
#include <unistd.h>

bool reserve_fill(struct reserve *reserve, int any) {
    while (reserve->count < reserve->wanted_count &&
           (reserve->held[reserve->count] = fcntl(any, F_DUPFD_CLOEXEC, 0)) >= 0) {
        reserve->count++;
    }
    return reserve->count == reserve->wanted_count;
}

bool reserve_let_go(struct reserve *reserve) {
    bool has_any = reserve->count > 0;
    while (reserve->count > 0) {
        close(reserve->held[--reserve->count]);
    }
    return has_any;
}
