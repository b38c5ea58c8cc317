/* The names of capabilities(7), of Linux. */
#include "core/service/build.h"

#include <string.h>

/* By their numbers, each with a NUL behind it: a table of pointers would be twice as large. */
static const char names[] =
    "chown\0dac_override\0dac_read_search\0fowner\0fsetid\0kill\0setgid\0setuid\0setpcap\0"
    "linux_immutable\0net_bind_service\0net_broadcast\0net_admin\0net_raw\0ipc_lock\0ipc_owner\0"
    "sys_module\0sys_rawio\0sys_chroot\0sys_ptrace\0sys_pacct\0sys_admin\0sys_boot\0sys_nice\0"
    "sys_resource\0sys_time\0sys_tty_config\0mknod\0lease\0audit_write\0audit_control\0setfcap\0"
    "mac_override\0mac_admin\0syslog\0wake_alarm\0block_suspend\0audit_read\0perfmon\0bpf\0"
    "checkpoint_restore\0";

/* The bit of `name`; 0 = there is none. */
static uint64_t find(const char *name) {
    uint64_t bit = 1;
    if (text_equal_start(name, "cap_", 4, true)) {
        name += 4;
    }
    for (const char *at = names; *at != '\0'; at += strlen(at) + 1, bit <<= 1) {
        if (text_equal_nocase(at, name)) {
            return bit;
        }
    }
    return 0;
}

const char *service_capability_name(unsigned index) {
    const char *at = names;
    for (; index > 0 && *at != '\0'; index--) {
        at += strlen(at) + 1;
    }
    return *at != '\0' ? at : NULL;
}

void service_read_capabilities(struct service_builder *builder, const struct service_values *values,
                               struct identity *out) {
    const struct config_setting *setting = values->given[KEY_CAPABILITIES];
    out->has_capabilities = setting != NULL;
    for (const char *rest = setting != NULL ? setting->value : NULL; rest != NULL;) {
        const char *name = service_next_part(builder, &rest);
        uint64_t bit = name != NULL ? find(name) : 1;
        if (bit == 0 && (strcmp(name, "none") != 0 || rest != NULL || out->capabilities != 0) &&
            service_is_news(builder, values, KEY_CAPABILITIES)) {
            service_report_value(builder, setting, name,
                                 " is no capability; give `none`, or names of capabilities(7), "
                                 "as in `net_bind_service, net_raw`");
        }
        out->capabilities |= bit;
    }
}
