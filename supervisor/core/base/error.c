#include "core/base/error.h"

#include "core/base/text.h"

/* Numbers go down one by one, so that a text is found by its place. */
enum place {
#define BATON_ERROR_PLACE(name, number, text) PLACE_##name,
    BATON_ERROR_TABLE(BATON_ERROR_PLACE)
#undef BATON_ERROR_PLACE
};
#define BATON_ERROR_IN_PLACE(name, number, text)                                                   \
    _Static_assert(PLACE_##name == -(number), "the table is in the order of its numbers");
BATON_ERROR_TABLE(BATON_ERROR_IN_PLACE)
#undef BATON_ERROR_IN_PLACE

const char *baton_error_text(int code) {
    static const char texts[] = "unknown error\0"
#define BATON_ERROR_TEXT(name, number, text) text "\0"
        BATON_ERROR_TABLE(BATON_ERROR_TEXT)
#undef BATON_ERROR_TEXT
        ;
    return code > 0 ? texts : text_nth(texts, 1u - (unsigned)code);
}
