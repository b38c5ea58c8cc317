/* How many and how fast: rates, and what those are told who are refused. */
#include "core/service/build.h"
#include "core/service/template.h"

#include <string.h>

/* ---- Rates: COUNT/UNIT, perhaps with `burst COUNT` behind it ---- */

#define RATE_MAX_COUNT 1000000u

static const struct {
    char unit[4];
    uint16_t period_s;
} units[] = {{"s", 1}, {"min", 60}, {"h", 3600}};

static bool parse_count(const char *text, size_t length, uint32_t *out) {
    char digits[16];
    if (length >= sizeof digits) {
        return false;
    }
    memcpy(digits, text, length);
    digits[length] = '\0';
    return text_parse_number(digits, out) && *out >= 1 && *out <= RATE_MAX_COUNT;
}

static const char *skip_blanks(const char *text) {
    while (text_is_blank(*text)) {
        text++;
    }
    return text;
}

static bool parse_rate(const char *text, struct rate_limit *out) {
    static const char burst[] = "burst";
    size_t digits = strspn(text, "0123456789");
    const char *unit = text + digits + 1;
    size_t unit_length = text[digits] == '/' ? strcspn(unit, " \t") : 0;
    *out = (struct rate_limit){0};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (strlen(units[i].unit) == unit_length && memcmp(unit, units[i].unit, unit_length) == 0) {
            out->period_s = units[i].period_s;
        }
    }
    if (out->period_s == 0 || !parse_count(text, digits, &out->count)) {
        return false;
    }
    out->burst_count = out->count;
    const char *rest = skip_blanks(unit + unit_length);
    if (*rest == '\0') {
        return true;
    }
    if (strncmp(rest, burst, sizeof burst - 1) != 0 || !text_is_blank(rest[sizeof burst - 1])) {
        return false;
    }
    rest = skip_blanks(rest + sizeof burst - 1);
    return parse_count(rest, strlen(rest), &out->burst_count);
}

void service_read_rate(struct service_builder *builder, const struct config_setting *setting,
                       struct rate_limit *out) {
    if (parse_rate(setting->value, out)) {
        return;
    }
    *out = (struct rate_limit){0};
    if (strcmp(setting->value, RATE_NONE) != 0) {
        service_report_value(
            builder, setting, setting->value,
            " is no rate; give COUNT/s, COUNT/min or COUNT/h, with `burst COUNT` "
            "behind it if more may come at once, as in `50/s burst 100`, or `none`; "
            "counts are from 1 to %lu",
            (unsigned long)RATE_MAX_COUNT);
    }
}

const char *service_rate_unit(const struct rate_limit *limit) {
    size_t i = 0;
    while (units[i].period_s != limit->period_s) {
        i++;
    }
    return units[i].unit;
}

/* ---- The message ---- */

/* What a line of the config cannot hold is written with a backslash. Returns false for any other
 * character behind one. */
static bool unescape(char *text) {
    static const char letters[] = "nrt\\";
    static const char bytes[] = "\n\r\t\\";
    char *out = text;
    for (const char *at = text; *at != '\0'; at++) {
        if (*at == '\\') {
            const char *letter = at[1] == '\0' ? NULL : strchr(letters, at[1]);
            if (letter == NULL) {
                return false;
            }
            *out++ = bytes[letter - letters];
            at++;
        } else {
            *out++ = *at;
        }
    }
    *out = '\0';
    return true;
}

void service_read_refuse_message(struct service_builder *builder,
                                 const struct config_setting *setting,
                                 struct service_values *values) {
    const char *text = service_unquote(builder, setting);
    char *message = text == NULL ? NULL : arena_text(builder->arena, text);
    values->service.refuse_message = message;
    if (message == NULL) {
        return;
    }
    const char *wrong = template_check(message, true);
    if (wrong != NULL) {
        service_report_value(builder, setting, message, ": %s", wrong);
    } else if (!unescape(message)) {
        service_report_value(builder, setting, text,
                             ": behind a backslash there must be n, r, t (the end of a line, a "
                             "carriage return, a tab) or a backslash");
    } else if (strlen(message) > REFUSE_MESSAGE_MAX_BYTES) {
        service_report(builder, setting, "is longer than %u bytes; a line is enough",
                       REFUSE_MESSAGE_MAX_BYTES);
    }
}
