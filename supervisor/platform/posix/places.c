/*
 * Where the control endpoint is when nobody has said so. Its clients ask as well, so there is
 * nothing of the loop's here.
 */
#include "core/base/text.h"
#include "platform/control.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The value of a variable that names one absolute folder (systemd.exec(5) may give more, with ':'
 * between them); NULL = it does not. */
static const char *folder_of(const char *variable) {
    const char *value = getenv(variable);
    return value != NULL && value[0] == '/' && strchr(value, ':') == NULL ? value : NULL;
}

int platform_control_default(bool is_privileged, char *out, size_t size_bytes) {
    const char *said = getenv("BATON_CONTROL");
    const char *folder = folder_of("RUNTIME_DIRECTORY");
    const char *name = "/control";
    if (said != NULL && said[0] != '\0') {
        if (strcmp(said, "none") == 0) {
            return BATON_NOT_FOUND;
        }
        folder = said;
        name = "";
    } else if (folder == NULL && is_privileged) {
        folder = "/run/baton";
    } else if (folder == NULL) {
        folder = folder_of("XDG_RUNTIME_DIR");
        name = "/baton/control";
    }
    if (folder == NULL) {
        return BATON_NOT_FOUND;
    }
    int length = text_format(out, size_bytes, "%s%s", folder, name);
    return (size_t)length < size_bytes ? BATON_OK : BATON_TOO_LONG;
}

void platform_control_make_folder(const char *path) {
    char folder[4096];
    const char *end = strrchr(path, '/');
    if (end != NULL && end > path && (size_t)(end - path) < sizeof folder) {
        memcpy(folder, path, (size_t)(end - path));
        folder[end - path] = '\0';
        (void)mkdir(folder, geteuid() == 0 ? 0755 : 0700);
    }
}
