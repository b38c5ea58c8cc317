/*
 * What holds a program back: the limits of its job, and a token that allows less than ours.
 * https://learn.microsoft.com/windows/win32/api/winnt/ns-winnt-jobobject_extended_limit_information
 * https://learn.microsoft.com/windows/win32/secauthz/restricted-tokens
 */
#include "program.h"

#include <stdlib.h>

#define TICKS_IN_A_SECOND 10000000 /* of 100 ns */

/* ---- Limits ---- */

static bool is_limited(const struct platform_program *program, enum identity_limit limit) {
    return program->limits[limit] < IDENTITY_UNLIMITED;
}

int win32_job_confine(HANDLE job, const struct platform_program *program,
                      struct baton_cause *cause) {
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits = {0};
    JOBOBJECT_BASIC_LIMIT_INFORMATION *basic = &limits.BasicLimitInformation;
    if (is_limited(program, LIMIT_MEMORY_KIB)) {
        basic->LimitFlags |= JOB_OBJECT_LIMIT_JOB_MEMORY;
        limits.JobMemoryLimit = (SIZE_T)program->limits[LIMIT_MEMORY_KIB] * 1024u;
    }
    if (is_limited(program, LIMIT_CPU_S)) {
        basic->LimitFlags |= JOB_OBJECT_LIMIT_JOB_TIME;
        basic->PerJobUserTimeLimit.QuadPart =
            (LONGLONG)program->limits[LIMIT_CPU_S] * TICKS_IN_A_SECOND;
    }
    if (is_limited(program, LIMIT_PROCESSES_COUNT)) {
        basic->LimitFlags |= JOB_OBJECT_LIMIT_ACTIVE_PROCESS;
        basic->ActiveProcessLimit = program->limits[LIMIT_PROCESSES_COUNT];
    }
    /* Without a flag there is nothing to be set: neither breakaway nor kill-on-close, so nothing
     * leaves the job, and a crash of the supervisor leaves live connections served. */
    if (basic->LimitFlags != 0 &&
        !SetInformationJobObject(job, JobObjectExtendedLimitInformation, &limits, sizeof limits)) {
        return win32_cause_last(cause, "SetInformationJobObject");
    }
    return BATON_OK;
}

/* ---- The token ---- */

/* In new memory (free()); NULL with the cause in GetLastError(). */
static void *ask(HANDLE token, TOKEN_INFORMATION_CLASS what) {
    DWORD bytes = 0;
    GetTokenInformation(token, what, NULL, 0, &bytes);
    void *answer = malloc(bytes);
    if (answer != NULL && !GetTokenInformation(token, what, answer, bytes, &bytes)) {
        free(answer);
        answer = NULL;
    }
    return answer;
}

/* Groups of this machine and of domains that may change what others run by. They are known by their
 * numbers: [MS-DTYP] 2.4.2.4. */
static bool is_of_administrators(PSID sid) {
    static const DWORD built_in[] = {544, 547, 548, 549, 550, 551, 556, 569};
    static const DWORD of_domains[] = {512, 517, 518, 519, 520};
    const SID_IDENTIFIER_AUTHORITY nt = {SECURITY_NT_AUTHORITY};
    DWORD count = *GetSidSubAuthorityCount(sid);
    if (memcmp(GetSidIdentifierAuthority(sid), &nt, sizeof nt) != 0 || count == 0) {
        return false;
    }
    DWORD first = *GetSidSubAuthority(sid, 0);
    DWORD last = *GetSidSubAuthority(sid, count - 1);
    bool is_one = count == 1 && first == 114; /* local accounts among Administrators */
    for (size_t i = 0; i < sizeof built_in / sizeof *built_in; i++) {
        is_one = is_one || (count == 2 && first == 32 && last == built_in[i]);
    }
    for (size_t i = 0; i < sizeof of_domains / sizeof *of_domains; i++) {
        is_one = is_one || (count == 5 && first == 21 && last == of_domains[i]);
    }
    return is_one;
}

/* Ours, without its privileges but the one that every path lookup takes (SeChangeNotifyPrivilege,
 * as DISABLE_MAX_PRIVILEGE has it, which Wine passes over), and with those groups for denials only.
 */
static bool restrict_token(HANDLE own, HANDLE *out) {
    LUID kept;
    TOKEN_GROUPS *groups = ask(own, TokenGroups);
    TOKEN_PRIVILEGES *privileges = ask(own, TokenPrivileges);
    bool done = groups != NULL && privileges != NULL &&
                LookupPrivilegeValueW(NULL, L"SeChangeNotifyPrivilege", &kept);
    if (done) {
        DWORD group_count = 0, privilege_count = 0;
        for (DWORD i = 0; i < groups->GroupCount; i++) {
            if (is_of_administrators(groups->Groups[i].Sid)) {
                groups->Groups[group_count++] = (SID_AND_ATTRIBUTES){groups->Groups[i].Sid, 0};
            }
        }
        for (DWORD i = 0; i < privileges->PrivilegeCount; i++) {
            if (memcmp(&privileges->Privileges[i].Luid, &kept, sizeof kept) != 0) {
                privileges->Privileges[privilege_count++] = privileges->Privileges[i];
            }
        }
        done = CreateRestrictedToken(own, 0, group_count, groups->Groups, privilege_count,
                                     privileges->Privileges, 0, NULL, out);
    }
    free(groups);
    free(privileges);
    return done;
}

/* What may be done to its objects, its process among them: the user who is in it, whom
 * administrators may have stood for until now, and the system. We are that user, and have to reach
 * the process. */
static bool set_default_access(HANDLE token) {
    union win32_access_list access;
    TOKEN_DEFAULT_DACL dacl = {&access.list};
    return win32_access_list(token, &access) &&
           SetTokenInformation(token, TokenDefaultDacl, &dacl, sizeof dacl);
}

static bool set_low_integrity(HANDLE token) {
    BYTE low[SECURITY_MAX_SID_SIZE];
    DWORD low_bytes = sizeof low;
    TOKEN_MANDATORY_LABEL label = {{low, SE_GROUP_INTEGRITY}};
    return CreateWellKnownSid(WinLowLabelSid, NULL, low, &low_bytes) &&
           SetTokenInformation(token, TokenIntegrityLevel, &label,
                               (DWORD)sizeof label + GetLengthSid(low));
}

int win32_token_low(HANDLE *out, struct baton_cause *cause) {
    HANDLE own = NULL;
    int code = BATON_OK;
    *out = NULL;
    if (!OpenProcessToken(
            GetCurrentProcess(),
            TOKEN_QUERY | TOKEN_DUPLICATE | TOKEN_ASSIGN_PRIMARY | TOKEN_ADJUST_DEFAULT, &own)) {
        return win32_cause_last(cause, "OpenProcessToken");
    }
    if (!restrict_token(own, out)) {
        code = win32_cause_last(cause, "CreateRestrictedToken");
    } else if (!set_default_access(*out) || !set_low_integrity(*out)) {
        code = win32_cause_last(cause, "SetTokenInformation");
        CloseHandle(*out);
        *out = NULL;
    }
    CloseHandle(own);
    return code;
}
