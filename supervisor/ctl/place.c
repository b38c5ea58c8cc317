#include "ctl/place.h"

#include "core/base/error.h"
#include "core/base/text.h"

#include <string.h>

/* NULL where it is not there, or empty. */
static const char *find(const struct ctl_place_facts *facts, const char *name) {
    size_t length = strlen(name);
    for (const char *const *at = facts->environment; at != NULL && *at != NULL; at++) {
        if (strncmp(*at, name, length) == 0 && (*at)[length] == '=' && (*at)[length + 1] != '\0') {
            return *at + length + 1;
        }
    }
    return NULL;
}

int ctl_place_default(const struct ctl_place_facts *facts, char *out, size_t size_bytes,
                      bool *is_said) {
    const char *said = find(facts, "BATON_CONTROL");
    const char *service = find(facts, "RUNTIME_DIRECTORY");
    const char *user = find(facts, "XDG_RUNTIME_DIR");
    const char *place = said;
    const char *name = "";
    *is_said = said != NULL;
    out[0] = '\0';
    if (said != NULL && strcmp(said, "none") == 0) {
        return BATON_NOT_FOUND;
    }
    if (said == NULL && facts->is_windows) {
        place = CTL_PLACE_OF_WINDOWS;
    } else if (said == NULL && service != NULL && service[0] == '/' &&
               strchr(service, ':') == NULL) {
        place = service;
        name = "/control";
    } else if (said == NULL && facts->is_root) {
        place = CTL_PLACE_OF_ROOT;
    } else if (said == NULL && user != NULL && user[0] == '/') {
        place = user;
        name = "/baton/control";
    }
    if (place == NULL) {
        return BATON_NOT_FOUND;
    }
    int length = text_format(out, size_bytes, "%s%s", place, name);
    return (size_t)length < size_bytes ? BATON_OK : BATON_TOO_LONG;
}
