/* The memory of a server that forks. Private to the SDK's body for POSIX. */
#ifndef BATON_SDK_HEAP_H
#define BATON_SDK_HEAP_H

/* Has the system keep what is in use of large private memory in huge pages, where it has them: a
 * fork copies a table entry for each page. Best done once, when all is there that children will
 * use. Takes as long as it takes to copy that memory. Nothing happens where it cannot be done. */
void heap_make_huge(void);

#endif
