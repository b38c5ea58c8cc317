/* Sorting in place: it takes no memory, so it neither fails nor leaves a larger heap. */
#pragma once

#include <stddef.h>

/* What is sorted is the caller's: it is known by its places, 0 to count - 1. */
struct sort_of {
    /* Below, at or above 0, as what stands at `a` belongs before, with or behind that at `b`. */
    int (*compare)(const void *items, size_t a, size_t b);
    void (*swap)(void *items, size_t a, size_t b);
};

/* Takes count log2(count) comparisons and swaps, more or less; count comparisons where all is in
 * order already. Equal items end in any order. */
void sort_items(void *items, size_t count, const struct sort_of *of);
