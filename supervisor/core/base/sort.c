/* A heap sort. */
#include "core/base/sort.h"

/* First down to the end, as far as most go, and then up again: half the comparisons. */
static void sift_down(void *items, size_t at, size_t count, const struct sort_of *of) {
    const size_t top = at;
    for (size_t child; (child = 2 * at + 1) < count; at = child) {
        child += child + 1 < count && of->compare(items, child, child + 1) < 0;
        of->swap(items, at, child);
    }
    while (at > top && of->compare(items, (at - 1) / 2, at) < 0) {
        of->swap(items, (at - 1) / 2, at);
        at = (at - 1) / 2;
    }
}

void sort_items(void *items, size_t count, const struct sort_of *of) {
    size_t in_order = 1;
    while (in_order < count && of->compare(items, in_order - 1, in_order) <= 0) {
        in_order++;
    }
    if (in_order >= count) { /* as long lists often are */
        return;
    }
    for (size_t i = count / 2; i-- > 0;) {
        sift_down(items, i, count, of);
    }
    for (size_t left = count; left-- > 1;) {
        of->swap(items, 0, left);
        sift_down(items, 0, left, of);
    }
}
