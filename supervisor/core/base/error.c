#include "core/base/error.h"

const char *baton_error_text(int code) {
    switch (code) {
#define BATON_ERROR_CASE(name, number, text)                                                       \
    case number:                                                                                   \
        return text;
        BATON_ERROR_TABLE(BATON_ERROR_CASE)
#undef BATON_ERROR_CASE
    default:
        return "unknown error";
    }
}
