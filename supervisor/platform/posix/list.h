/*
 * Lists that are linked both ways. A node stands first in what it links; a list of zeros is empty.
 */
#ifndef BATON_PLATFORM_POSIX_LIST_H
#define BATON_PLATFORM_POSIX_LIST_H

struct posix_node {
    struct posix_node *next, *before;
};

struct posix_list {
    struct posix_node *first, *last;
};

/* `before`: NULL = it becomes the first. */
void posix_list_insert(struct posix_list *list, struct posix_node *node, struct posix_node *before);
void posix_list_append(struct posix_list *list, struct posix_node *node);
void posix_list_remove(struct posix_list *list, struct posix_node *node);

#endif
