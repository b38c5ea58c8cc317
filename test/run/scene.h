/*
 * A scene: supervisor_run() on the fake platform, with actors as handlers and a script that acts
 * whenever all of them wait.
 *
 * A script is a function that is entered again and again, and goes on behind the LOOK or JUMP where
 * it left; what it has to remember is in the scene. Without a script, or when it is over, the scene
 * jumps from deadline to deadline, and asks for the stop when there is none left.
 */
#ifndef BATON_TEST_SCENE_H
#define BATON_TEST_SCENE_H

#include "actor.h"
#include "lines.h"

#include "run/supervisor.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define SCENE_PORT 7001
#define HANDSHAKE_MS 5000u
#define STOP_MS 3000u
#define SCENE_SERVICE_COUNT 2

struct scene {
    /* Set by the test before scene_run(). */
    struct service
        services[SCENE_SERVICE_COUNT]; /* the first on SCENE_PORT, the next on the next */
    size_t service_count;              /* 1 as a rule */
    enum log_format log_format;
    const struct play *plays[64]; /* of the first processes; the last one of all further ones */
    uint32_t play_count;
    uint32_t client_count; /* connect to the first service at the start */
    bool (*script)(struct scene *scene);

    /* For the script. */
    int line;
    uint64_t deadline_us; /* that the supervisor waits for */
    uint64_t mark_us;
    uint32_t number, count;
    bool stopped; /* the stop was asked for */

    /* Kept by the scene. */
    struct actor *actors;
    uint32_t actor_count, actor_capacity;
    bool started;
    struct address addresses[SCENE_SERVICE_COUNT];
    enum supervisor_result result;
};

#define SCENE_BEGIN(scene)                                                                         \
    switch ((scene)->line) {                                                                       \
    case 0:
#define SCENE_END(scene)                                                                           \
    }                                                                                              \
    (scene)->line = -1;                                                                            \
    return false
#define SCENE_LEAVE(scene, changed)                                                                \
    do {                                                                                           \
        (scene)->line = __LINE__;                                                                  \
        return (changed);                                                                          \
    case __LINE__:;                                                                                \
    } while (0)
/* The supervisor looks at what has changed; then everybody waits again. */
#define LOOK(scene) SCENE_LEAVE(scene, true)
/* The clock jumps to the next deadline; then everybody waits again. */
#define JUMP(scene) SCENE_LEAVE(scene, false)

/* One service: attempts 2, reuse 1, max_connections 8, and the times above; the good handler. */
void scene_init(struct scene *scene);
/* Gives all processes from the next one on this play. */
void scene_play(struct scene *scene, const struct play *play);
/* Begins a world (the test may prepare it before, with scene_begin()), runs, checks with
 * scene_check(), and ends the world with scene_clear(). */
void scene_begin(struct scene *scene);
void scene_run(struct scene *scene);
void scene_stop(struct scene *scene);
/* What holds after every scene: an ordered end, nothing left, no misuse, exactly one record for
 * every accepted connection, nobody served by two. */
void scene_check(struct scene *scene);
void scene_clear(struct scene *scene);
/* The actor of a process that was launched. */
struct actor *scene_actor(struct scene *scene, uint32_t process);
/* Plays one act of a process now. */
void scene_act(struct scene *scene, uint32_t process, enum act act);

/* Asserts about the record of connection `id`. */
void assert_record(uint64_t id, const char *outcome, const char *attempts);

extern const struct play play_good;   /* HELLO, ACK, DONE, exit 0 at the end of the channel */
extern const struct play play_server; /* the same for one connection after the other */
extern const struct play play_puppet; /* does only what scene_act() makes it do */

#endif
