/* What somebody meant: keys of other servers, and files that are called nearly so. */
#include "core/base/text.h"
#include "core/service/build.h"

#include <string.h>

/* What it is here, and then what it is called in inetd's, xinetd's, systemd's, supervisord's,
 * NSSM's and others' configs, without regard to case; a blank behind each. */
static const char foreign_keys[] =
    "`listen`\0"
    "port ports listen_port listen_stream ListenStream ListenDatagram address host "
    "socket expose \0"
    "`handler`, the program and behind it its arguments\0"
    "program server server_args exec ExecStart command cmd application AppParameters "
    "args arguments executable binary script path entrypoint run \0"
    "`protocol` (tcp, udp, unix)\0"
    "socket_type \0"
    "`handoff` (stdio as inetd's nowait, listener as its wait)\0"
    "wait Accept StandardInput \0"
    "`environment`\0"
    "env envs AppEnvironmentExtra setenv EnvironmentFile env_file \0"
    "`environment_from`\0"
    "passenv PassEnvironment \0"
    "`directory`\0"
    "cwd AppDirectory WorkingDirectory working_dir workdir chdir dir \0"
    "`chroot`\0"
    "RootDirectory \0"
    "`max_connections`\0"
    "instances max_instances max_clients maxconn \0"
    "`workers`\0"
    "numprocs worker_processes \0"
    "`reuse`\0"
    "max_requests MaxConnectionsPerChild \0"
    "`spares`\0"
    "StartServers start_servers \0"
    "`max_per_source`\0"
    "per_source MaxConnectionsPerSource limit_conn \0"
    "`rate`\0"
    "cps TriggerLimitBurst \0"
    "`rate_per_source`\0"
    "limit_req \0"
    "`allow`\0"
    "only_from IPAddressAllow \0"
    "`deny`\0"
    "no_access IPAddressDeny \0"
    "`hours`\0"
    "access_times \0"
    "`log` of [supervisor]\0"
    "log_type log_file log_on_success log_on_failure AppStdout AppStderr stdout_logfile "
    "access_log error_log \0"
    "`enabled`\0"
    "autostart \0"
    "`enabled`, the other way round (`no` switches the service off)\0"
    "disable disabled \0"
    "the name of the section, `[NAME]`\0"
    "id name \0"
    "`bind`\0"
    "interface \0"
    "`v6only`\0"
    "BindIPv6Only \0"
    "`mode`\0"
    "SocketMode \0"
    "`owner`\0"
    "SocketUser SocketGroup \0"
    "`listen_names`\0"
    "FileDescriptorName \0"
    "`defer_accept_s`\0"
    "DeferAcceptSec \0"
    "`keepalive_idle_s`\0"
    "KeepAliveTimeSec \0"
    "`receive_buffer_bytes`\0"
    "ReceiveBuffer \0"
    "`send_buffer_bytes`\0"
    "SendBuffer \0"
    "`user`\0"
    "uid username runas ObjectName \0"
    "`group`\0"
    "gid \0"
    "`capabilities`\0"
    "AmbientCapabilities CapabilityBoundingSet cap_add \0"
    "`oom_score_adj`\0"
    "OOMScoreAdjust \0"
    "`refuse_message`\0"
    "banner_fail \0"
    "`limit_memory`\0"
    "rlimit_as LimitAS MemoryMax mem_limit \0"
    "`limit_files`\0"
    "rlimit_files LimitNOFILE \0"
    "`limit_cpu_s`\0"
    "rlimit_cpu LimitCPU \0"
    "`limit_processes`\0"
    "LimitNPROC TasksMax \0"
    "`max_runtime_ms`, `idle_timeout_ms` or `first_byte_timeout_ms`\0"
    "timeout RuntimeMaxSec \0"
    "`stop_timeout_ms`\0"
    "TimeoutStopSec stopwaitsecs \0"
    "`handler = forward HOST PORT`\0"
    "redirect proxy_pass \0";

const char *service_foreign_key(const char *name) {
    size_t length = strlen(name);
    for (const char *at = foreign_keys; *at != '\0';) {
        const char *ours = at;
        at += strlen(at) + 1;
        for (; *at != '\0'; at += strcspn(at, " ") + 1) {
            if (strcspn(at, " ") == length && text_equal_start(at, name, length, true)) {
                return ours;
            }
        }
        at++;
    }
    return NULL;
}

/* ---- Files ---- */

/* Of a larger folder only so many are compared. */
#define NAMES_MAX_COUNT 10000u

struct search {
    const char *name;
    const char *suffix; /* of programs, which may be left out */
    size_t best_distance;
    size_t names_count;
    char *nearest; /* of SERVICE_NEAREST_BYTES */
};

/* "hello" is nearest to "hello.py". */
static void compare(void *context, const char *name) {
    struct search *search = context;
    char stem[SERVICE_NEAREST_BYTES];
    size_t name_length = strlen(name);
    size_t length = strlen(search->name);
    size_t fault = 0;
    if (++search->names_count > NAMES_MAX_COUNT || name_length >= sizeof stem ||
        text_check(name, name_length, &fault) != TEXT_FINE) {
        return;
    }
    memcpy(stem, name, name_length + 1);
    if (text_ends_with(stem, search->suffix, true) &&
        !text_ends_with(search->name, search->suffix, true)) {
        stem[name_length - strlen(search->suffix)] = '\0';
    }
    bool is_longer = strncmp(name, search->name, length) == 0 && name[length] == '.';
    size_t distance = is_longer ? 0 : text_distance(search->name, stem, search->best_distance);
    /* `lzcat` is no `socat`: two slips leave the first letter. */
    bool begins_so = distance < 2 || text_equal_start(search->name, stem, 1, true);
    if (distance < search->best_distance && begins_so) {
        search->best_distance = distance;
        memcpy(search->nearest, name, name_length + 1);
    }
}

bool service_find_nearest(const struct service_machine *machine, const char *path,
                          char out[SERVICE_NEAREST_BYTES]) {
    const char *base = service_base_name(machine, path);
    struct search search = {base, machine->executable_suffix, text_distance_limit(base) + 1, 0,
                            out};
    char folder[LACK_PATH_MAX_BYTES];
    struct baton_cause cause;
    out[0] = '\0';
    if (machine->list_folder == NULL || strlen(path) >= sizeof folder ||
        (machine->looks_left != NULL && *machine->looks_left == 0)) {
        return false;
    }
    if (machine->looks_left != NULL) {
        --*machine->looks_left;
    }
    text_format(folder, sizeof folder, "%.*s", (int)service_folder_length(machine, path), path);
    (void)machine->list_folder(folder, compare, &search, &cause);
    return out[0] != '\0';
}
