/* Windows has no fork(2). */
#include "serving.h"

int baton_serve_forking(serve_function *function, uint32_t capacity) {
    (void)function;
    (void)capacity;
    return serving_complain("cannot start", BATON_E_UNSUPPORTED);
}
