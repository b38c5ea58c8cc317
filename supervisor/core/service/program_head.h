/*
 * What the first bytes of a program's file say of who runs it: an interpreter that a script names
 * after `#!`, or the loader that an ELF file asks for (PT_INTERP). Where one of these is missing,
 * execve(2) says of the program itself that there is no such file.
 */
#ifndef BATON_SERVICE_PROGRAM_HEAD_H
#define BATON_SERVICE_PROGRAM_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As many as are looked at; of an ELF file they hold the program headers and the loader's name. */
#define PROGRAM_HEAD_BYTES 4096u
/* Linux looks at no more of a first line (BINPRM_BUF_SIZE). */
#define PROGRAM_INTERPRETER_MAX_BYTES 255u

enum program_kind {
    PROGRAM_OTHER, /* neither of the others, or cut off; execve(2) says "Exec format error" */
    PROGRAM_ELF,
    PROGRAM_SCRIPT
};

struct program_head {
    enum program_kind kind;
    uint32_t machine; /* ELF: e_machine, and above its 16 bits the class and the byte order */
    char interpreter[PROGRAM_INTERPRETER_MAX_BYTES + 1]; /* "" = none, or not among the bytes */
    /* What stands behind it in a script's line, one word to whoever runs it; "" = nothing, or not
     * all of it seen. */
    char argument[PROGRAM_INTERPRETER_MAX_BYTES + 1];
    bool ends_with_return; /* a script's first line, as on Windows, and its interpreter minds */
};

/* Reads the first `length` bytes of a file. Whatever they are, there is an answer. See elf(5) and
 * execve(2). */
void program_head_read(const uint8_t *bytes, size_t length, struct program_head *out);

/* True if a system whose own programs are for `own` may run those for `machine`: of the same
 * processor, or of the one with 32 bits that it can be as well. */
bool program_machine_fits(uint32_t own, uint32_t machine);

#endif
