/* baton-config: reads batond's command line and config in its stead, and sends it the services. In
 * its name it also checks and explains, prints the help, and says what is wrong. Not for users. */
#include "apart.h"
#include "core/base/error.h"
#include "core/base/text.h"
#include "core/service/image.h"
#include "here.h"
#include "load.h"
#include "platform/platform.h"

#include <stdlib.h>
#include <string.h>

const char program_name[] = "batond";

/* ---- Who batond was when it was started ---- */

static char started_by[24]; /* his number as a text; "" = who asks */
static bool was_privileged;

static int find_user(void *context, const char *name, struct account *out) {
    if (name != NULL) {
        return platform_find_user(context, name, out);
    }
    int result = platform_find_user(context, started_by, out);
    if (result == BATON_NOT_FOUND) { /* as it is with one of now */
        uint32_t uid = 0;
        (void)text_parse_number(started_by, &uid);
        *out = (struct account){.uid = uid, .gid = uid, .name = started_by, .home = "/"};
        result = BATON_OK;
    }
    return result;
}

/* What may be run, but not by us, or where we may not look, he may run. */
static int probe_program(void *context, const char *path) {
    int result = platform_probe_program(context, path);
    return result == BATON_DENIED ? BATON_OK : result;
}

/* "UID PRIVILEGED". */
static void be_as_started(const char *text, struct service_machine *machine) {
    size_t length = strcspn(text, " ");
    if (length > 0 && length < sizeof started_by && text[length] == ' ') {
        memcpy(started_by, text, length);
        machine->is_privileged = was_privileged = text[length + 1] == '1';
        machine->find_user = find_user;
        if (machine->is_privileged && !platform_is_privileged()) {
            machine->probe_program = probe_program;
        }
    }
}

/* ---- The answer ---- */

/* Everything goes out at once, so that a batond which reads half of it has none. */
static bool send_all(int result, const char *text, const struct source *source) {
    const struct service_machine *machine = &source->machine;
    struct apart_head head = {.result = result, .mark = APART_MARK};
    size_t image_bytes = 0;
    char *image = NULL;
    if (result == BATON_OK) {
        struct image_config config = {.file = machine->config_file,
                                      .path = machine->config_path,
                                      .is_found = machine->config_is_found,
                                      .is_privileged = machine->is_privileged,
                                      .own_machine = machine->own_machine,
                                      .runs_other_formats = machine->runs_other_formats};
        struct account own;
        if (platform_find_user(NULL, NULL, &own) == BATON_OK) {
            config.uid = own.uid;
        }
        if (started_by[0] != '\0') {
            (void)text_parse_number(started_by, &config.uid);
            config.is_privileged = was_privileged;
        }
        image = image_make(&source->table, &config, BATON_VERSION, &image_bytes);
        head.result = image == NULL ? BATON_NO_MEMORY : BATON_OK;
    }
    size_t text_bytes = text == NULL ? 0 : strlen(text);
    head.text_bytes = (uint32_t)((text_bytes + 15) / 16 * 16);
    char *bytes = calloc(1, sizeof head + head.text_bytes + image_bytes);
    if (bytes == NULL) {
        free(image);
        return false;
    }
    memcpy(bytes, &head, sizeof head);
    if (text != NULL) {
        memcpy(bytes + sizeof head, text, text_bytes);
    }
    if (image != NULL) {
        memcpy(bytes + sizeof head + head.text_bytes, image, image_bytes);
    }
    bool is_sent = platform_answer(bytes, sizeof head + head.text_bytes + image_bytes);
    free(image);
    free(bytes);
    return is_sent;
}

/* What is wrong is a part of the answer. */
static enum exit_code answer_again(int argc, char **argv, const char *started,
                                   struct source *source) {
    char *text = NULL;
    enum exit_code code = here_prepare(argc, argv, source);
    be_as_started(started, here_machine());
    if (source->renewal.load == NULL) {
        return code;
    }
    int result = source->renewal.load(source->renewal.context, &source->table, &text);
    load_place_control(here_machine()->is_privileged, &source->table.options);
    bool is_sent = send_all(result, text, source);
    free(text);
    return is_sent ? EXIT_DONE : EXIT_SYSTEM;
}

static enum exit_code answer(int argc, char **argv, struct source *source) {
    enum exit_code code = source_read(argc, argv, source);
    if (!source->serves) {
        return code;
    }
    return send_all(BATON_OK, NULL, source) ? EXIT_DONE : EXIT_SYSTEM;
}

int main(int argc, char **argv) {
    static struct source source;
    bool again = argc > APART_ARGUMENTS && strcmp(argv[1], APART_AGAIN) == 0;
    if (argc <= APART_ARGUMENTS || (!again && strcmp(argv[1], APART_FIRST) != 0) ||
        !platform_answer_begin() || load_for_batond_in(argv[2]) != BATON_OK) {
        complain("usage", "baton-config is a part of batond; run that");
        return EXIT_USAGE;
    }
    const char *started = argv[3];
    argv[APART_ARGUMENTS] = argv[0];
    argc -= APART_ARGUMENTS;
    argv += APART_ARGUMENTS;
    enum exit_code code =
        again ? answer_again(argc, argv, started, &source) : answer(argc, argv, &source);
    service_table_clear(&source.table);
    return (int)program_end(code);
}
