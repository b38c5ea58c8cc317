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

#include "run/sized.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define SCENE_PORT 7001
#define HANDSHAKE_MS 5000u
#define STOP_MS 3000u
#define SCENE_SERVICE_COUNT 2
#define SCENE_PLACE_COUNT 3
/* Room for all of its services together, which costs a page fault for each of its pages and scenes;
 * and where one of them takes a crowd. */
#define SCENE_CONNECTIONS_COUNT 64
#define SCENE_CROWD_COUNT 1024

struct scene;
typedef bool scene_script(struct scene *scene);

struct scene {
    /* Set by the test before scene_run(). */
    struct service
        services[SCENE_SERVICE_COUNT]; /* the first on SCENE_PORT, the next on the next */
    size_t service_count;              /* 1 as a rule */
    enum log_format log_format;
    bool logs_errors_alone;
    const char *log;              /* NULL = standard error */
    const char *control, *status; /* where such clients come; NULL = nowhere */
    const char *user;             /* whom the supervisor becomes, by `identity`; NULL = nobody */
    struct identity identity;
    const struct play *plays[64]; /* of the first processes; the last one of all further ones */
    uint32_t play_count;
    uint32_t client_count; /* connect to the first service at the start */
    scene_script *script;
    /* Told of each signal, before the process has it; NULL = nobody is. What it does then comes
     * between two deadlines of one moment, and no event tells of it before the second. */
    void (*watch)(struct scene *scene, uint32_t process, enum platform_signal how);
    const struct supervisor_source *source; /* NULL = nothing can be read anew */
    const struct service_machine *machine;  /* NULL = nothing is looked for on the disk */

    /* For the script. */
    int line;
    uint64_t deadline_us; /* that the supervisor waits for */
    uint64_t mark_us;
    uint32_t number, count, way;
    uint32_t act; /* of ACTS() */
    bool stopped; /* the stop was asked for */

    /* Kept by the scene. */
    struct actor *actors;
    uint32_t actor_count, actor_capacity;
    bool started;
    struct service_listen places[SCENE_SERVICE_COUNT][SCENE_PLACE_COUNT];
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
/* A process plays these acts, with a LOOK behind each. */
#define ACTS(scene, process, ...)                                                                  \
    do {                                                                                           \
        for ((scene)->act = 0; (scene)->act < COUNT_ACTS(__VA_ARGS__); (scene)->act++) {           \
            scene_act(scene, process, ((const enum act[]){__VA_ARGS__})[(scene)->act]);            \
            LOOK(scene);                                                                           \
        }                                                                                          \
    } while (0)
#define COUNT_ACTS(...) (sizeof((const enum act[]){__VA_ARGS__}) / sizeof(enum act))
/* One more client of the first service, and a LOOK. */
#define CONNECT(scene)                                                                             \
    do {                                                                                           \
        fake_connect(SCENE_PORT);                                                                  \
        LOOK(scene);                                                                               \
    } while (0)

/* Begins a world with one service: attempts 2, reuse 1, max_connections 8, and the times above; the
 * good handler, no client. The test may change the scene and prepare the world before it runs. */
void scene_init(struct scene *scene);
/* The same with one client; `play` is that of all processes, `script` may be NULL. */
void scene_stage(struct scene *scene, const struct play *play, scene_script *script);
/* Makes a service of the scene one of this mode and protocol, as service_table_build() would.
 * `windows`: listeners are handed over by an OFFER; the world is to be as on Windows too. */
void scene_mode(struct scene *scene, uint32_t service, enum service_handoff handoff,
                enum service_protocol protocol, bool windows);
/* What a config with the scene's services would be. */
struct service_table scene_table(const struct scene *scene);
/* Gives all processes from the next one on this play. */
void scene_play(struct scene *scene, const struct play *play);
/* Plays the scene, with scene_check() behind it. The log stays until scene_clear(). */
void scene_run(struct scene *scene);
/* Plays the scene; for those that do not end in order. */
void scene_try(struct scene *scene);
void scene_stop(struct scene *scene);
/* Scripts: asks for the stop twice, so that all is over at once; asks for it behind two deadlines.
 */
bool scene_hurry(struct scene *scene);
bool scene_stop_late(struct scene *scene);
/* What holds after every scene: an ordered end, nothing left, no misuse, exactly one record for
 * every accepted connection, nobody served by two. */
void scene_check(struct scene *scene);
/* Ends the world. */
void scene_clear(struct scene *scene);
/* The actor of a process that was launched. */
struct actor *scene_actor(struct scene *scene, uint32_t process);
/* The same, when it has taken all frames that have come. */
struct actor *scene_listen(struct scene *scene, uint32_t process);
/* Plays one act of a process now. */
void scene_act(struct scene *scene, uint32_t process, enum act act);

/* Whether long loops are wanted whole (scripts/test --all), and not a sample of them. */
bool scene_all_wanted(void);

/* Asserts about the record of connection `id`. */
void assert_record(uint64_t id, const char *outcome, const char *attempts);
/* The same of the connections `first_id` to `last_id`. */
void assert_records(uint64_t first_id, uint64_t last_id, const char *outcome, const char *attempts);

extern const struct play play_exit;   /* exit 0 at once */
extern const struct play play_good;   /* HELLO, ACK, DONE, exit 0 at the end of the channel */
extern const struct play play_server; /* the same for one connection after the other */
extern const struct play play_puppet; /* does only what scene_act() makes it do */
extern const struct play play_deaf;   /* the same; does not end when it is asked to terminate */
/* Of these acts; for as long as the block in which it stands. */
#define PLAY(...)                                                                                  \
    {                                                                                              \
        .acts = (const enum act[]) {                                                               \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }

#endif
