/* Numbers as the environment has them, and which of it was wrong. strtol(3) is no help: it takes
 * blanks and signs. */
#include "body.h"

bool body_number_read(const char **text, uint64_t most, uint64_t *out) {
    const char *at = *text;
    uint64_t value = 0;
    while (*at >= '0' && *at <= '9') {
        unsigned digit = (unsigned)(*at++ - '0');
        if (digit > most || value > (most - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    if (at == *text)
        return false;
    *text = at;
    *out = value;
    return true;
}

bool body_number_parse(const char *text, uint64_t most, uint64_t *out) {
    uint64_t value = 0;
    if (!body_number_read(&text, most, &value) || *text != '\0')
        return false;
    *out = value;
    return true;
}

static const char *wrong_variable = "";

int body_wrong_environment(const char *variable) {
    wrong_variable = variable;
    return BATON_E_ENVIRONMENT;
}

const char *body_wrong_variable(void) {
    return wrong_variable;
}
