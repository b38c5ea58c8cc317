/*
 * Rows whose columns stand one below the other.
 */
#ifndef BATON_CTL_TABLE_H
#define BATON_CTL_TABLE_H

#include "core/base/text.h"
#include "ctl/buffer.h"

#include <stdbool.h>
#include <stddef.h>

#define CTL_COLUMNS_MAX_COUNT 10u

struct ctl_column {
    const char *title;
    bool is_number; /* stands to the right */
};

/* How a cell looks on a terminal. */
enum ctl_colour { CTL_PLAIN, CTL_GOOD, CTL_DOUBTFUL, CTL_BAD };

struct ctl_row; /* of table.c */

/* Zeroed but for `columns` and their count. */
struct ctl_table {
    const struct ctl_column *columns;
    size_t column_count;
    struct arena *arena; /* owns the rows */
    struct ctl_row *rows;
    size_t row_count, row_capacity;
    bool failed; /* memory was out */
};

/* Begins a row, whose cells are empty. */
void ctl_table_add_row(struct ctl_table *table);

/* Sets a cell of the last row; the text is copied. Without a row nothing happens. */
void ctl_table_set(struct ctl_table *table, size_t column, const char *text,
                   enum ctl_colour colour);

/* The text of a cell of the last row, "" where it has none. */
const char *ctl_table_get(const struct ctl_table *table, size_t column);

/* Prints the titles and all rows, columns without any text left out, and forgets the rows. Prints
 * nothing where there are none. */
void ctl_table_print(struct ctl_table *table, bool coloured, text_emit *emit, void *context);

/* Frees the rows. */
void ctl_table_clear(struct ctl_table *table);

/* Puts `text` in its colour, or as it is. */
void ctl_put_coloured(struct ctl_buffer *buffer, const char *text, enum ctl_colour colour,
                      bool coloured);

#endif
