#include "core/service/shape.h"

#include "core/service/key.h"
#include "core/service/service.h"

#include <stddef.h>

#define AT(field) offsetof(struct service, field)

/* The five of access are in the order of their keys. */
const struct service_text service_texts[SERVICE_TEXTS_COUNT] = {
    {AT(access_texts[0]), KEY_ALLOW},
    {AT(access_texts[1]), KEY_DENY},
    {AT(access_texts[2]), KEY_ALLOW_UID},
    {AT(access_texts[3]), KEY_ALLOW_GID},
    {AT(access_texts[4]), KEY_HOURS},
    {AT(name), KEY_LISTEN},
    {AT(listen_names), KEY_LISTEN_NAMES},
    {AT(program), KEY_HANDLER},
    {AT(handler), KEY_HANDLER},
    {AT(argv0), KEY_ARGV0},
    {AT(directory), KEY_DIRECTORY},
    {AT(refuse_message), KEY_REFUSE_MESSAGE},
    {AT(capabilities), KEY_CAPABILITIES},
    {AT(environment_from), KEY_ENVIRONMENT_FROM},
    {AT(user), KEY_USER},
    {AT(identity.chroot), KEY_CHROOT},
    {AT(socket_user), KEY_SOCKET_OWNER},
    {AT(socket_group), KEY_SOCKET_OWNER},
    {AT(log), KEY_OWN_LOG},
    {AT(file), KEY_COUNT},
};
_Static_assert(SERVICE_ACCESS_KEY_COUNT == 5, "all of them stand above");

const struct service_array service_arrays[SERVICE_ARRAYS_COUNT] = {
    {AT(listen), AT(listen_count), sizeof(struct service_listen), KEY_LISTEN, false},
    {AT(proxy_trusted), AT(proxy_trusted_count), sizeof(struct address_block), KEY_PROXY_TRUSTED,
     false},
    {AT(success_exits), AT(success_exit_count), sizeof(uint32_t), KEY_SUCCESS_EXIT, false},
    {AT(allow_uids), AT(allow_uid_count), sizeof(uint32_t), KEY_ALLOW_UID, false},
    {AT(allow_gids), AT(allow_gid_count), sizeof(uint32_t), KEY_ALLOW_GID, false},
    {AT(hours), AT(hours_count), sizeof(struct service_hours), KEY_HOURS, false},
    {AT(identity.groups), AT(identity.group_count), sizeof(uint32_t), KEY_GROUPS, false},
    {AT(argv), AT(argc), sizeof(char *), KEY_HANDLER, true},
    {AT(environment), AT(environment_count), sizeof(char *), KEY_ENVIRONMENT, true},
    {AT(variables), AT(variable_count), sizeof(char *), KEY_ENVIRONMENT, true},
    {AT(variable_templates), AT(variable_count), sizeof(char *), KEY_ENVIRONMENT, true},
    {AT(inherited), AT(inherited_count), sizeof(char *), KEY_ENVIRONMENT_FROM, true},
};
