#include "platform/posix/list.h"

#include <stddef.h>

void posix_list_insert(struct posix_list *list, struct posix_node *node,
                       struct posix_node *before) {
    node->before = before;
    node->next = before != NULL ? before->next : list->first;
    *(before != NULL ? &before->next : &list->first) = node;
    *(node->next != NULL ? &node->next->before : &list->last) = node;
}

void posix_list_append(struct posix_list *list, struct posix_node *node) {
    posix_list_insert(list, node, list->last);
}

void posix_list_remove(struct posix_list *list, struct posix_node *node) {
    *(node->before != NULL ? &node->before->next : &list->first) = node->next;
    *(node->next != NULL ? &node->next->before : &list->last) = node->before;
}
