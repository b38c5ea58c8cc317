#include "ctl/table.h"

#include "core/base/arena.h"

#include <string.h>

#define GAP "  "

struct ctl_row {
    const char *texts[CTL_COLUMNS_MAX_COUNT];
    enum ctl_colour colours[CTL_COLUMNS_MAX_COUNT];
};

void ctl_table_add_row(struct ctl_table *table) {
    table->arena = table->arena != NULL ? table->arena : arena_create();
    struct ctl_row *rows = NULL;
    if (table->arena != NULL) {
        rows = arena_grow(table->arena, table->rows, table->row_count, &table->row_capacity,
                          sizeof *rows);
    }
    if (rows == NULL) {
        table->failed = true;
        return;
    }
    table->rows = rows;
    rows[table->row_count++] = (struct ctl_row){.texts = {NULL}};
}

static struct ctl_row *last_row(const struct ctl_table *table) {
    return table->row_count > 0 ? &table->rows[table->row_count - 1] : NULL;
}

void ctl_table_set(struct ctl_table *table, size_t column, const char *text,
                   enum ctl_colour colour) {
    struct ctl_row *row = last_row(table);
    if (row == NULL) {
        return;
    }
    row->texts[column] = arena_text(table->arena, text);
    row->colours[column] = colour;
    table->failed = table->failed || row->texts[column] == NULL;
}

const char *ctl_table_get(const struct ctl_table *table, size_t column) {
    const struct ctl_row *row = last_row(table);
    return row != NULL && row->texts[column] != NULL ? row->texts[column] : "";
}

void ctl_put_coloured(struct ctl_buffer *buffer, const char *text, enum ctl_colour colour,
                      bool coloured) {
    static const char *const starts[] = {[CTL_PLAIN] = "",
                                         [CTL_GOOD] = "\033[32m",
                                         [CTL_DOUBTFUL] = "\033[33m",
                                         [CTL_BAD] = "\033[31m"};
    bool shows = coloured && colour != CTL_PLAIN && text[0] != '\0';
    ctl_put(buffer, shows ? starts[colour] : "");
    ctl_put(buffer, text);
    ctl_put(buffer, shows ? "\033[0m" : "");
}

static const char *cell(const struct ctl_row *row, size_t column) {
    return row->texts[column] != NULL ? row->texts[column] : "";
}

/* How wide each column is; 0 = nobody has anything there. */
static void measure(const struct ctl_table *table, size_t widths[CTL_COLUMNS_MAX_COUNT]) {
    for (size_t c = 0; c < table->column_count; c++) {
        widths[c] = 0;
        for (size_t i = 0; i < table->row_count; i++) {
            size_t width = ctl_text_width(cell(&table->rows[i], c));
            widths[c] = width > widths[c] ? width : widths[c];
        }
        size_t title = ctl_text_width(table->columns[c].title);
        widths[c] = widths[c] > 0 && widths[c] < title ? title : widths[c];
    }
}

static void pad(struct ctl_buffer *line, size_t count) {
    for (; count > 0; count--) {
        ctl_put(line, " ");
    }
}

struct printing {
    const struct ctl_table *table;
    size_t widths[CTL_COLUMNS_MAX_COUNT];
    struct ctl_buffer line;
    bool coloured;
};

/* One line; NULL = the titles. No blanks at its end. */
static void put_row(struct printing *printing, const struct ctl_row *row) {
    size_t owed = 0;
    bool is_first = true;
    ctl_buffer_reset(&printing->line);
    for (size_t c = 0; c < printing->table->column_count; c++) {
        const struct ctl_column *column = &printing->table->columns[c];
        const char *text = row != NULL ? cell(row, c) : column->title;
        size_t width = printing->widths[c];
        if (width == 0) {
            continue;
        }
        size_t missing = width - ctl_text_width(text);
        owed += (is_first ? 0 : strlen(GAP)) + (column->is_number ? missing : 0);
        is_first = false;
        if (text[0] != '\0') {
            pad(&printing->line, owed);
            owed = 0;
        }
        ctl_put_coloured(&printing->line, text, row != NULL ? row->colours[c] : CTL_PLAIN,
                         printing->coloured);
        owed += column->is_number ? 0 : missing;
    }
    ctl_put(&printing->line, "\n");
}

void ctl_table_print(struct ctl_table *table, bool coloured, text_emit *emit, void *context) {
    struct printing printing = {.table = table, .coloured = coloured};
    if (table->row_count == 0) {
        return;
    }
    measure(table, printing.widths);
    for (size_t i = 0; i <= table->row_count; i++) {
        put_row(&printing, i > 0 ? &table->rows[i - 1] : NULL);
        if (printing.line.failed) {
            table->failed = true;
            break;
        }
        emit(context, printing.line.text);
    }
    ctl_buffer_clear(&printing.line);
    ctl_table_clear(table);
}

void ctl_table_clear(struct ctl_table *table) {
    arena_destroy(&table->arena);
    table->rows = NULL;
    table->row_count = 0;
    table->row_capacity = 0;
}
