/* Memory that ends where nothing is mapped, to catch reads and writes past a buffer's end. */
#ifndef BATON_TEST_WIRE_GUARD_H
#define BATON_TEST_WIRE_GUARD_H

#include <stddef.h>

/* `length` writable bytes, the byte behind them faults. Reused by the next call: at most 32 KiB.
 * Never NULL. */
unsigned char *guarded(size_t length);

#endif
