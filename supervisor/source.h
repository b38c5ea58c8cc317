/*
 * Where batond has its services from: the command line and the config, read at the start, and the
 * latter again for each reload. Two bodies, chosen by the build: here.c reads in this process;
 * apart.c has another program do it, baton-config, so that neither what reads configs nor what it
 * takes (inih, libyaml, whoever the system asks for accounts) is resident in batond.
 */
#ifndef BATON_SOURCE_H
#define BATON_SOURCE_H

#include "core/service/service.h"
#include "program.h"
#include "run/supervisor.h"

/* What was read. It is never freed: a thread may still be reading when the process ends. */
struct source {
    bool serves; /* services are to be served; else all that was asked for is done */
    struct service_table table;
    struct service_machine machine; /* with which the table was built, or its like */
    struct supervisor_source renewal;
};

/* Takes the command line, and does what it says but for serving. Everything that is wrong, or was
 * asked for, is said. Blocks on the disk. Returns what the program is to end with, or EXIT_DONE and
 * source->serves. */
enum exit_code source_read(int argc, char **argv, struct source *source);

/* True if the command line is that by which a batond asks the one that is to take its place; then
 * source_rehearse() answers, and returns what the program is to end with. */
bool source_is_rehearsed(int argc, char **argv);
enum exit_code source_rehearse(int argc, char **argv);

#endif
