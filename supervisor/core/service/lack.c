#include "core/service/lack.h"

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/service/build.h"
#include "core/service/strict.h"

#include <string.h>

/* A script may be the interpreter of another; Linux follows four. */
#define INTERPRETERS_MAX_COUNT 4

static bool lack(struct service_lack *out, enum lack_kind kind, const char *path, int result) {
    out->kind = kind;
    out->result = result;
    text_format(out->path, sizeof out->path, "%s", path);
    return true;
}

/* The bit of CAP_DAC_OVERRIDE, capabilities(7). */
#define PASSES_ALL 2u

/* True if the account that the service runs as, another than ours, is kept from `path`. */
static bool is_kept_out(const struct service_machine *machine, const struct service *service,
                        const char *path, unsigned wanted, struct service_lack *out) {
    const struct identity *identity = service != NULL ? &service->identity : NULL;
    struct strict_finding barrier;
    if (identity == NULL || service->user == NULL) {
        return false;
    }
    const struct strict_account account = {
        identity->uid, identity->gid, identity->groups, identity->group_count,
        identity->uid == 0 &&
            (!identity->has_capabilities || (identity->capabilities & PASSES_ALL) != 0)};
    if (!strict_find_barrier(machine, identity->chroot, path, &account, wanted, &barrier) ||
        barrier.kind != STRICT_BARRIER) {
        return false;
    }
    text_format(out->interpreter, sizeof out->interpreter, "%s", service->user);
    return lack(out, LACK_RIGHT, barrier.path, BATON_DENIED);
}

static const char *root_of(const struct service *service) {
    return service != NULL ? service->identity.chroot : NULL;
}

/* A path as it is outside the service's root. */
static const char *outside(const struct service_machine *machine, const struct service *service,
                           const char *path, char out[LACK_PATH_MAX_BYTES]) {
    const char *root = root_of(service);
    if (root == NULL) {
        return path;
    }
    strict_find_outside(machine, root, path, out);
    return out;
}

/* The last one counts. */
static const char *find_path(char *const *variables, size_t count) {
    static const char lead[] = "PATH=";
    for (size_t i = count; i > 0; i--) {
        if (strncmp(variables[i - 1], lead, sizeof lead - 1) == 0) {
            return variables[i - 1] + sizeof lead - 1;
        }
    }
    return NULL;
}

/* PATH as the service's handlers have it; NULL = that depends on the connection, or there is none.
 */
static const char *search_path_of(const struct service *service) {
    const char *path = find_path(service->environment, service->environment_count);
    if (path != NULL) {
        return path;
    }
    for (size_t i = 0; service->variables != NULL && service->variables[i] != NULL; i++) {
        if (strcmp(service->variables[i], "PATH") == 0) {
            return NULL;
        }
    }
    return find_path(service->inherited, service->inherited_count);
}

/* The program that env(1) runs, by what stands behind it: all of that is one word to it, unless -S
 * parts it. False if that cannot be told, because of other options, quotes or variables. */
static bool find_command(char argument[PROGRAM_INTERPRETER_MAX_BYTES + 1]) {
    static const char blanks[] = " \t";
    char *word = argument;
    bool splits = strncmp(argument, "-S", 2) == 0;
    for (word += splits ? 2 : 0; splits; word += strcspn(word, blanks)) {
        word += strspn(word, blanks);
        size_t length = strcspn(word, blanks);
        if (strcspn(word, "\\\"'$#") < length || strncmp(word, "PATH=", 5) == 0) {
            return false;
        }
        if (memchr(word, '=', length) == NULL) {
            word[length] = '\0';
            break;
        }
    }
    memmove(argument, word, strlen(word) + 1);
    return argument[0] != '\0' && argument[0] != '-' && strchr(argument, '=') == NULL;
}

bool service_lacks_strictness(const struct service_machine *machine, const char *root,
                              const char *path, uint32_t user, struct service_lack *out) {
    struct strict_finding finding;
    if (!strict_find_writer(machine, root, path, user, &finding)) {
        return false;
    }
    out->mode = finding.mode;
    out->user = finding.user;
    return lack(out,
                finding.kind == STRICT_OWNER      ? LACK_OWNER
                : finding.kind == STRICT_WRITABLE ? LACK_WRITABLE
                                                  : LACK_PROGRAM,
                finding.path, BATON_SYSTEM);
}

bool service_may_be_changed(const struct service_machine *machine, const struct service *service,
                            const char *path, struct service_lack *out) {
    char full[LACK_PATH_MAX_BYTES];
    if (service == NULL || !service->strict_modes) {
        return false;
    }
    if (path[0] != '/') { /* it starts where the program is run */
        if (service->directory == NULL ||
            text_format(full, sizeof full, "%s/%s", service->directory, path) >= (int)sizeof full) {
            return lack(out, LACK_PROGRAM, path, BATON_SYSTEM);
        }
        path = full;
    }
    return service_lacks_strictness(
        machine, root_of(service), path,
        service->identity.uid == IDENTITY_SAME ? 0 : service->identity.uid, out);
}

/* The command of env(1) in a script's first line: there only if execvp(3) is certain to find it
 * nowhere, and somebody else's to change if any place is where it is looked for. */
static bool lacks_command(const struct service_machine *machine, const char *script,
                          const struct service *service, struct program_head *head,
                          struct service_lack *out) {
    char path[LACK_PATH_MAX_BYTES];
    char host[LACK_PATH_MAX_BYTES];
    const char *name = head->argument;
    if (service == NULL ||
        (strcmp(head->interpreter, "/usr/bin/env") != 0 &&
         strcmp(head->interpreter, "/bin/env") != 0) ||
        !find_command(head->argument)) {
        return false;
    }
    bool has_folder = strchr(name, '/') != NULL;
    const char *folders = has_folder ? name : search_path_of(service);
    while (folders != NULL) {
        int length = has_folder ? 0 : (int)strcspn(folders, ":");
        if (text_format(path, sizeof path, "%.*s%s%s", length, folders, length == 0 ? "" : "/",
                        name) >= (int)sizeof path) {
            return false;
        }
        if (service_may_be_changed(machine, service, path, out)) {
            return true;
        }
        if (path[0] != '/') {
            return false; /* it starts where the program is run, and what is there is not known */
        }
        const char *probed = outside(machine, service, path, host);
        if (machine->probe_program(machine->context, probed) == BATON_OK) {
            return false;
        }
        folders += length;
        if (has_folder || *folders++ == '\0') {
            memcpy(out->interpreter, name, sizeof out->interpreter);
            return lack(out, LACK_COMMAND, script, BATON_NOT_FOUND);
        }
    }
    return false;
}

/* What does not follow from the file's name: whether the system can run what is in it. */
static bool lacks_runner(const struct service_machine *machine, const char *path,
                         const struct service *service, struct service_lack *out) {
    const char *directory = service != NULL ? service->directory : NULL;
    struct program_head head;
    uint8_t bytes[PROGRAM_HEAD_BYTES];
    char name[PROGRAM_INTERPRETER_MAX_BYTES + 1];
    char host[LACK_PATH_MAX_BYTES];
    for (int i = 0; i <= INTERPRETERS_MAX_COUNT; i++) {
        struct baton_cause cause;
        size_t length = 0;
        path = outside(machine, service, path, host);
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
        if (head.interpreter[0] == '\0') {
            return false;
        }
        /* A relative name starts where the program is run. */
        if (head.interpreter[0] != '/' && directory != NULL) {
            return service_may_be_changed(machine, service, head.interpreter, out);
        }
        char runner[LACK_PATH_MAX_BYTES];
        result = machine->probe_program(machine->context,
                                        outside(machine, service, head.interpreter, runner));
        bool has_it = text_ends_with(head.interpreter, "\r", false); /* a file may be named so */
        if (head.ends_with_return && (result != BATON_OK || !has_it)) {
            return lack(out, LACK_RETURN, path, BATON_NOT_FOUND);
        }
        if (result != BATON_OK) {
            memcpy(out->interpreter, head.interpreter, sizeof out->interpreter);
            return lack(out, is_elf ? LACK_LOADER : LACK_INTERPRETER, path, result);
        }
        if (service_may_be_changed(machine, service, head.interpreter, out) ||
            is_kept_out(machine, service, head.interpreter, STRICT_EXECUTE, out) ||
            (!is_elf && lacks_command(machine, path, service, &head, out))) {
            return true;
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
                           const struct service *service, struct service_lack *out) {
    char host[LACK_PATH_MAX_BYTES];
    const char *probed = outside(machine, service, path, host);
    int result = machine->probe_program(machine->context, probed);
    if (result != BATON_OK && !(is_script && result == BATON_NOT_EXECUTABLE)) {
        return lack(out, LACK_PROGRAM, probed, result);
    }
    return service_may_be_changed(machine, service, path, out) ||
           is_kept_out(machine, service, path, is_script ? STRICT_READ : STRICT_EXECUTE, out) ||
           (!is_script && BY_SYSTEM(true, machine->read_file != NULL) &&
            lacks_runner(machine, path, service, out));
}

bool service_lacks_folder(const struct service_machine *machine, const char *path,
                          const struct service *service, struct service_lack *out) {
    char host[LACK_PATH_MAX_BYTES];
    const char *probed = outside(machine, service, path, host);
    int result = machine->probe_directory(machine->context, probed);
    return result != BATON_OK ? lack(out, LACK_FOLDER, probed, result)
                              : is_kept_out(machine, service, path, STRICT_EXECUTE, out);
}

bool service_is_folder(const struct service_machine *machine, const char *path) {
    return machine->probe_program(machine->context, path) == BATON_INVALID &&
           machine->probe_directory(machine->context, path) == BATON_OK;
}

bool service_find_lack(const struct service *service, const struct service_machine *machine,
                       struct service_lack *out) {
    bool is_script = strcmp(service->program, service->handler) != 0;
    out->line = service->handler_line;
    if (service_lacks_program(machine, service->handler, is_script, service, out) ||
        (is_script && service_lacks_program(machine, service->program, false, service, out))) {
        return true;
    }
    out->line = service->directory_line;
    if (service->directory != NULL &&
        service_lacks_folder(machine, service->directory, service, out)) {
        return true;
    }
    out->line = service->listen_line;
    const char *socket = service->listen[0].path;
    if (socket == NULL) {
        return false;
    }
    char folder[LACK_PATH_MAX_BYTES] = "";
    memcpy(folder, socket, service_folder_length(machine, socket)); /* at most 107 bytes */
    return service_lacks_folder(machine, folder, NULL, out);
}

#define OR_NOT_STRICT ", or put `strict_modes = no` into [supervisor]"

/* What a lack is called, the path in the middle, and then the cure; of those who run a program the
 * name stands behind it. One behind the other, as pointers would take more room than the texts that
 * are there twice. */
#define WORDS(before, after, cure) before "\0" after "\0" cure "\0"
#define PARTS_COUNT 3u

#define FIRST_LINE "the first line of "
#define OTHERS "others may change "
#define GRANT "give the supervisor's user the right to, and to the folders above"

/* clang-format off */
static const char words[] =
    /* By result: of a program, of a folder. */
    WORDS("there is no file ", "", "put it there, or correct the path")
    WORDS("there is no folder ", "", "create it, or correct the path")
    WORDS("", " may not be executed", GRANT)
    WORDS("the folder ", " may not be entered", GRANT)
    WORDS("", " is not executable", "")
    WORDS("", " is not a folder", "give one")
    WORDS("", " is not a regular file", "give a program")
    WORDS("", " is not a folder", "give one")
    WORDS("", " cannot be looked at", "correct the path")
    WORDS("", " cannot be looked at", "correct the path")
    /* The other kinds, from LACK_INTERPRETER on. */
    WORDS(FIRST_LINE, " names an interpreter that cannot be run, `",
          "install that, or correct the line")
    WORDS(FIRST_LINE, " ends with a carriage return", "end its lines with line feeds alone")
    WORDS("", " needs a loader that cannot be run, `",
          "install that (inside `chroot`, if there is one), or build the program for this system")
    WORDS("", " is no program of this system, and no script with `#!`",
          "begin it with `#!` (no byte-order mark before) and the path of its interpreter, or "
          "give a program")
    WORDS("", " was built for another processor", "build it for this one")
    WORDS(FIRST_LINE, " has env run what it cannot find, `",
          "correct PATH, or the line (several words need `env -S`)")
    WORDS("", " keeps out the account that is to run this, `",
          "give it the right to enter or execute that, move the program, or choose another account")
    WORDS(OTHERS, "", "run `chown root` on it, keep it elsewhere" OR_NOT_STRICT)
    WORDS(OTHERS, "", "run `chmod go-w` on it" OR_NOT_STRICT);
/* clang-format on */

static const char *past(const char *text, size_t count) {
    for (; count > 0; count--) {
        text += strlen(text) + 1;
    }
    return text;
}

static const char *words_of(const struct service_lack *lack) {
    static const int8_t results[] = {BATON_NOT_FOUND, BATON_DENIED, BATON_NOT_EXECUTABLE,
                                     BATON_INVALID};
    const size_t count = sizeof results;
    size_t row = 0;
    while (row < count && results[row] != lack->result) {
        row++;
    }
    size_t index = lack->kind > LACK_FOLDER ? 2 * count + lack->kind : 2 * row + lack->kind;
    return past(words, PARTS_COUNT * index);
}

const char *service_lack_text(const struct service_lack *lack,
                              const struct service_machine *machine,
                              char out[LACK_TEXT_MAX_BYTES]) {
    const char *before = words_of(lack);
    const char *after = past(before, 1);
    const char *cure = past(after, 1);
    bool has_runner = lack->kind == LACK_INTERPRETER || lack->kind == LACK_LOADER ||
                      lack->kind == LACK_COMMAND || lack->kind == LACK_RIGHT;
    char seen[SERVICE_NEAREST_BYTES + 32] = "";
    char nearest[SERVICE_NEAREST_BYTES];
    if (lack->kind == LACK_PROGRAM && lack->result == BATON_NOT_FOUND &&
        service_find_nearest(machine, lack->path, nearest)) {
        text_format(seen, sizeof seen, ", but there is `%s`", nearest);
    } else if (has_runner) {
        seen[0] = '`';
    } else if (lack->kind >= LACK_OWNER) {
        text_format(seen, sizeof seen, " (mode 0%03lo, owner %lu)", (unsigned long)lack->mode,
                    (unsigned long)lack->user);
    }
    text_format(out, LACK_TEXT_MAX_BYTES, "%s%s%s%s%s", before, lack->path, after,
                has_runner ? lack->interpreter : "", seen);
    return cure[0] != '\0'               ? cure
           : service_on_windows(machine) ? "give a program (.exe)"
                                         : "run `chmod +x` on it";
}
