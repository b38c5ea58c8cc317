#include "core/service/program_head.h"

#include <string.h>

#define ELF_CLASS_32 1u
#define ELF_CLASS_64 2u
#define ELF_ORDER_LITTLE 1u
#define ELF_ORDER_BIG 2u
#define ELF_INTERPRETER 3u /* PT_INTERP */
/* Linux looks at no more of a first line (BINPRM_BUF_SIZE). */
#define PROGRAM_LINE_BYTES (PROGRAM_INTERPRETER_MAX_BYTES + 1u)
#define MACHINE_BITS 0xffffu

/* Where things are in the headers of the two classes, elf(5). */
struct layout {
    uint8_t header_bytes, program_offset_at, program_size_at, program_count_at;
    uint8_t program_bytes, offset_at, size_at; /* in a program header */
    uint8_t word_bytes;
};

static const struct layout layout_32 = {52, 28, 42, 44, 32, 4, 16, 4};
static const struct layout layout_64 = {64, 32, 54, 56, 56, 8, 32, 8};

static uint64_t number_at(const uint8_t *bytes, size_t count, bool little) {
    uint64_t number = 0;
    for (size_t i = 0; i < count; i++) {
        number = number << 8 | bytes[little ? count - 1 - i : i];
    }
    return number;
}

static void take_interpreter(const uint8_t *bytes, size_t length, struct program_head *out) {
    if (length <= PROGRAM_INTERPRETER_MAX_BYTES) {
        memcpy(out->interpreter, bytes, length);
        out->interpreter[length] = '\0'; /* or earlier: of a loader's name there may be others */
    }
}

/* Linux wants a name, and a NUL at the end of what is `size_bytes` long. */
static void take_loader(const uint8_t *bytes, size_t size_bytes, struct program_head *out) {
    if (size_bytes < 2 || bytes[size_bytes - 1] != '\0') {
        out->kind = PROGRAM_OTHER;
        return;
    }
    take_interpreter(bytes, size_bytes - 1, out);
}

static void read_elf(const uint8_t *bytes, size_t length, struct program_head *out) {
    const struct layout *layout = bytes[4] == ELF_CLASS_64 ? &layout_64 : &layout_32;
    bool little = bytes[5] == ELF_ORDER_LITTLE;
    out->kind = PROGRAM_ELF;
    out->machine = (uint32_t)number_at(bytes + 18, 2, little) | (uint32_t)bytes[4] << 16 |
                   (uint32_t)bytes[5] << 18;
    if (length < layout->header_bytes) {
        out->kind = PROGRAM_OTHER;
        return;
    }
    uint64_t at = number_at(bytes + layout->program_offset_at, layout->word_bytes, little);
    uint64_t step = number_at(bytes + layout->program_size_at, 2, little);
    uint64_t count = number_at(bytes + layout->program_count_at, 2, little);
    bool is_all = length < PROGRAM_HEAD_BYTES; /* of the file */
    if (step != layout->program_bytes || count == 0 ||
        (is_all && (at > length || length - at < step * count))) {
        out->kind = PROGRAM_OTHER;
        return;
    }
    for (; count > 0 && at <= length && length - at >= layout->program_bytes; count--, at += step) {
        const uint8_t *program = bytes + at;
        if (number_at(program, 4, little) != ELF_INTERPRETER) {
            continue;
        }
        uint64_t offset = number_at(program + layout->offset_at, layout->word_bytes, little);
        uint64_t size = number_at(program + layout->size_at, layout->word_bytes, little);
        if (offset <= length && length - offset >= size) {
            take_loader(bytes + offset, (size_t)size, out);
        }
        return;
    }
}

static bool is_blank(uint8_t byte) {
    return byte == ' ' || byte == '\t';
}

static bool ends_line(uint8_t byte) {
    return byte == '\n' || byte == '\0';
}

/* Perl reads the line itself, and passes over a carriage return behind its options. */
static bool is_perl(const char *interpreter) {
    const char *slash = strrchr(interpreter, '/');
    return slash != NULL && strncmp(slash, "/perl", 5) == 0;
}

static void read_script(const uint8_t *bytes, size_t length, struct program_head *out) {
    size_t seen = length <= PROGRAM_INTERPRETER_MAX_BYTES ? length : PROGRAM_LINE_BYTES;
    size_t start = 2;
    while (start < seen && is_blank(bytes[start])) {
        start++;
    }
    size_t end = start;
    while (end < seen && !is_blank(bytes[end]) && !ends_line(bytes[end])) {
        end++;
    }
    if (end == start || end == PROGRAM_LINE_BYTES) { /* no name, or one without an end */
        return;
    }
    out->kind = PROGRAM_SCRIPT;
    take_interpreter(bytes + start, end - start, out);
    size_t behind = end;
    while (behind < seen && !ends_line(bytes[behind])) {
        behind++;
    }
    bool has_words = behind > end;
    while (end < behind && is_blank(bytes[end])) {
        end++;
    }
    size_t last = behind;
    while (last > end && is_blank(bytes[last - 1])) {
        last--;
    }
    if (behind < PROGRAM_LINE_BYTES) {
        memcpy(out->argument, bytes + end, last - end);
    }
    out->ends_with_return = behind < PROGRAM_LINE_BYTES && bytes[behind - 1] == '\r' &&
                            (!has_words || !is_perl(out->interpreter));
}

void program_head_read(const uint8_t *bytes, size_t length, struct program_head *out) {
    *out = (struct program_head){.kind = PROGRAM_OTHER};
    if (length >= 20 && memcmp(bytes, "\177ELF", 4) == 0 &&
        (bytes[4] == ELF_CLASS_32 || bytes[4] == ELF_CLASS_64) &&
        (bytes[5] == ELF_ORDER_LITTLE || bytes[5] == ELF_ORDER_BIG)) {
        read_elf(bytes, length, out);
    } else if (length >= 2 && bytes[0] == '#' && bytes[1] == '!') {
        read_script(bytes, length, out);
    }
}

bool program_machine_fits(uint32_t own, uint32_t machine) {
    /* e_machine of processors with 64 bits, and of what they may run besides: x86, ARM, PowerPC. */
    static const uint16_t pairs[][2] = {{62, 3}, {183, 40}, {21, 20}};
    uint32_t a = own & MACHINE_BITS;
    uint32_t b = machine & MACHINE_BITS;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        if (a == pairs[i][0] && b == pairs[i][1]) {
            return true;
        }
    }
    return a == b && own >> 18 == machine >> 18;
}
