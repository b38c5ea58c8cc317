#include "heap.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define HUGE_PAGE_BYTES ((uintptr_t)2 << 20)

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25 /* Linux 6.1; others say EINVAL */
#endif

/* A line of /proc/self/smaps that begins a mapping. */
struct mapping {
    uintptr_t begin, end;
    bool is_ours; /* writable, private, of no file, and no stack */
};

static bool parse(const char *line, struct mapping *out) {
    char rights[5], name[16] = "";
    unsigned long inode = 0;
    if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %4s %*x %*s %lu %15s", &out->begin, &out->end,
               rights, &inode, name) < 4)
        return false;
    out->is_ours =
        strcmp(rights, "rw-p") == 0 && inode == 0 &&
        (name[0] == '\0' || strcmp(name, "[heap]") == 0 || strncmp(name, "[anon:", 6) == 0);
    return true;
}

static void advise(const struct mapping *mapping, unsigned long resident_kib) {
    uintptr_t begin = (mapping->begin + HUGE_PAGE_BYTES - 1) & ~(HUGE_PAGE_BYTES - 1);
    uintptr_t end = mapping->end & ~(HUGE_PAGE_BYTES - 1);
    /* What hardly anybody has touched, as a thread's stack, would grow by it. */
    if (!mapping->is_ours || begin >= end || resident_kib < (end - begin) / 1024 / 2)
        return;
    madvise((void *)begin, end - begin, MADV_HUGEPAGE);
    madvise((void *)begin, end - begin, MADV_COLLAPSE);
}

void heap_make_huge(void) {
    struct mapping mapping = {0};
    unsigned long resident_kib = 0;
    char line[512];
    FILE *maps = fopen("/proc/self/smaps", "re");
    if (maps == NULL)
        return;
    while (fgets(line, sizeof line, maps) != NULL) {
        struct mapping next;
        if (sscanf(line, "Rss: %lu kB", &resident_kib) == 1)
            advise(&mapping, resident_kib);
        else if (parse(line, &next))
            mapping = next;
    }
    fclose(maps);
}
