/* Who may open what is ours by its name: we, and the system. Without a list of its own a pipe may
 * be read by everybody, and a token's objects may be had by all for whom the token stands, such as
 * administrators.
 * https://learn.microsoft.com/windows/win32/ipc/named-pipe-security-and-access-rights */
#include "internal.h"

static union win32_access_list own_list;
static SECURITY_DESCRIPTOR own_descriptor;

bool win32_access_list(HANDLE token, union win32_access_list *out) {
    union {
        TOKEN_USER user;
        BYTE room[sizeof(TOKEN_USER) + SECURITY_MAX_SID_SIZE];
    } owner;
    BYTE system[SECURITY_MAX_SID_SIZE];
    DWORD owner_bytes = sizeof owner, system_bytes = sizeof system;
    return GetTokenInformation(token, TokenUser, &owner, owner_bytes, &owner_bytes) &&
           CreateWellKnownSid(WinLocalSystemSid, NULL, system, &system_bytes) &&
           InitializeAcl(&out->list, sizeof *out, ACL_REVISION) &&
           AddAccessAllowedAce(&out->list, ACL_REVISION, GENERIC_ALL, owner.user.User.Sid) &&
           AddAccessAllowedAce(&out->list, ACL_REVISION, GENERIC_ALL, system);
}

int win32_access_open(struct baton_cause *cause) {
    HANDLE token;
    if (!OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token)) {
        return win32_cause_last(cause, "OpenProcessToken");
    }
    int code = BATON_OK;
    if (!win32_access_list(token, &own_list) ||
        !InitializeSecurityDescriptor(&own_descriptor, SECURITY_DESCRIPTOR_REVISION) ||
        !SetSecurityDescriptorDacl(&own_descriptor, TRUE, &own_list.list, FALSE)) {
        code = win32_cause_last(cause, "SetSecurityDescriptorDacl");
    }
    CloseHandle(token);
    return code;
}

SECURITY_ATTRIBUTES win32_access_own(void) {
    return (SECURITY_ATTRIBUTES){sizeof(SECURITY_ATTRIBUTES), &own_descriptor, FALSE};
}
