#include "core/service/lack.h"

#include "core/base/error.h"
#include "core/service/build.h"

#include <stdio.h>
#include <string.h>

/* A script may be the interpreter of another; Linux follows four. */
#define INTERPRETERS_MAX_COUNT 4

static bool lack(struct service_lack *out, enum lack_kind kind, const char *path, int result) {
    out->kind = kind;
    out->result = result;
    snprintf(out->path, sizeof out->path, "%s", path);
    return true;
}

/* What does not follow from the file's name: whether the system can run what is in it. */
static bool lacks_runner(const struct service_machine *machine, const char *path,
                         const char *directory, struct service_lack *out) {
    struct program_head head;
    uint8_t bytes[PROGRAM_HEAD_BYTES];
    char name[PROGRAM_INTERPRETER_MAX_BYTES + 1];
    for (int i = 0; i <= INTERPRETERS_MAX_COUNT; i++) {
        struct baton_cause cause;
        size_t length = 0;
        int result = machine->read_file(path, bytes, sizeof bytes, &length, &cause);
        if (result != BATON_OK && result != BATON_TOO_LONG) {
            return false; /* it may be executed without being read */
        }
        program_head_read(bytes, length, &head);
        bool is_elf = head.kind == PROGRAM_ELF;
        if (!machine->runs_other_formats && head.kind == PROGRAM_OTHER) {
            return lack(out, LACK_FORMAT, path, BATON_NOT_EXECUTABLE);
        }
        if (!machine->runs_other_formats && is_elf &&
            !program_machine_fits(machine->own_machine, head.machine)) {
            return lack(out, LACK_PROCESSOR, path, BATON_NOT_EXECUTABLE);
        }
        /* A relative name starts where the program is run. */
        if (head.interpreter[0] == '\0' || (head.interpreter[0] != '/' && directory != NULL)) {
            return false;
        }
        result = machine->probe_program(machine->context, head.interpreter);
        if (result != BATON_OK) {
            memcpy(out->interpreter, head.interpreter, sizeof out->interpreter);
            out->ends_with_return = head.ends_with_return;
            return lack(out, is_elf ? LACK_LOADER : LACK_INTERPRETER, path, result);
        }
        if (is_elf) {
            return false;
        }
        memcpy(name, head.interpreter, sizeof name);
        path = name;
    }
    return false;
}

bool service_lacks_program(const struct service_machine *machine, const char *path, bool is_script,
                           const char *directory, struct service_lack *out) {
    int result = machine->probe_program(machine->context, path);
    if (result != BATON_OK && !(is_script && result == BATON_NOT_EXECUTABLE)) {
        return lack(out, LACK_PROGRAM, path, result);
    }
    return !is_script && machine->read_file != NULL && lacks_runner(machine, path, directory, out);
}

bool service_lacks_folder(const struct service_machine *machine, const char *path,
                          struct service_lack *out) {
    int result = machine->probe_directory(machine->context, path);
    return result != BATON_OK && lack(out, LACK_FOLDER, path, result);
}

bool service_is_folder(const struct service_machine *machine, const char *path) {
    return machine->probe_program(machine->context, path) == BATON_INVALID &&
           machine->probe_directory(machine->context, path) == BATON_OK;
}

bool service_find_lack(const struct service *service, const struct service_machine *machine,
                       struct service_lack *out) {
    bool is_script = strcmp(service->program, service->handler) != 0;
    if (service_lacks_program(machine, service->handler, is_script, service->directory, out) ||
        (is_script &&
         service_lacks_program(machine, service->program, false, service->directory, out)) ||
        (service->directory != NULL && service_lacks_folder(machine, service->directory, out))) {
        return true;
    }
    const char *socket = service->listen[0].path;
    if (socket == NULL) {
        return false;
    }
    char folder[LACK_PATH_MAX_BYTES];
    snprintf(folder, sizeof folder, "%.*s", (int)service_folder_length(machine, socket), socket);
    return service_lacks_folder(machine, folder, out);
}

/* "BEFORE PATH AFTER". */
static void put(char *out, const char *before, const char *path, const char *after) {
    snprintf(out, LACK_TEXT_MAX_BYTES, "%s%s%s", before, path, after);
}

static const char *folder_text(const struct service_lack *lack, char *out) {
    if (lack->result == BATON_NOT_FOUND) {
        put(out, "there is no folder ", lack->path, "");
        return "create it, or correct the path";
    }
    if (lack->result == BATON_INVALID) {
        put(out, "", lack->path, " is not a folder");
        return "give one";
    }
    put(out, "the folder ", lack->path, " may not be entered");
    return "give the supervisor's user the right to, and to the folders above it";
}

static const char *program_text(const struct service_lack *lack, char *out) {
    switch (lack->result) {
    case BATON_NOT_FOUND:
        put(out, "there is no file ", lack->path, "");
        return "correct the path";
    case BATON_NOT_EXECUTABLE:
        put(out, "", lack->path, " is not executable");
        return NULL;
    case BATON_DENIED:
        put(out, "", lack->path, " may not be executed");
        return "give the supervisor's user the right to, and to the folders above it";
    default:
        put(out, "", lack->path, " is not a regular file");
        return "give a program";
    }
}

static const char *interpreter_text(const struct service_lack *lack, char *out) {
    size_t length = strlen(lack->interpreter) - (lack->ends_with_return ? 1 : 0);
    snprintf(out, LACK_TEXT_MAX_BYTES,
             "the first line of %s names an interpreter that cannot be run, `%.*s`%s", lack->path,
             (int)length, lack->interpreter,
             lack->ends_with_return ? " with a carriage return behind it" : "");
    return lack->ends_with_return ? "end its lines with line feeds alone"
                                  : "install that, or correct the line";
}

const char *service_lack_text(const struct service_lack *lack, char out[LACK_TEXT_MAX_BYTES]) {
    switch (lack->kind) {
    case LACK_PROGRAM:
        return program_text(lack, out);
    case LACK_FOLDER:
        return folder_text(lack, out);
    case LACK_INTERPRETER:
        return interpreter_text(lack, out);
    case LACK_LOADER:
        snprintf(out, LACK_TEXT_MAX_BYTES, "%s needs the loader %s, which cannot be run",
                 lack->path, lack->interpreter);
        return "it was built for another system or C library; build it for this one";
    case LACK_FORMAT:
        put(out, "", lack->path, " is no program of this system, and no script with `#!`");
        return "begin it with `#!` and the path of its interpreter, or give a program";
    case LACK_PROCESSOR:
        put(out, "", lack->path, " was built for another processor");
        return "build it for this one";
    }
    return NULL;
}
