#include "windows_service_parts.h"

#include "core/base/text.h"

#include <aclapi.h>
#include <bcrypt.h>
#include <sddl.h>
#include <string.h>
#include <wchar.h>

/* ---- Names ---- */

bool platform_windows_service_name_is_valid(const char *name) {
    size_t length = strlen(name);
    return length > 0 && length <= WINDOWS_SERVICE_NAME_MAX_BYTES && name[0] != '.' &&
           strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.") ==
               length;
}

int platform_windows_service_log(const char *name, char *out, size_t size_bytes) {
    int code = platform_system_config(out, size_bytes);
    char *last = code == BATON_OK ? strrchr(out, '\\') : NULL;
    if (last == NULL) {
        return code == BATON_OK ? BATON_NOT_FOUND : code;
    }
    size_t room_bytes = size_bytes - (size_t)(last - out);
    int length = text_format(last, room_bytes, "\\%s.log", name);
    return length < 0 || (size_t)length >= room_bytes ? BATON_TOO_LONG : BATON_OK;
}

int win32_service_own_path(char out[SERVICE_PATH_BYTES], struct baton_cause *cause) {
    wchar_t path[SERVICE_PATH_BYTES];
    DWORD length = GetModuleFileNameW(NULL, path, SERVICE_PATH_BYTES);
    if (length == 0) {
        return win32_cause_last(cause, "GetModuleFileNameW");
    }
    return length >= SERVICE_PATH_BYTES ? BATON_TOO_LONG
                                        : win32_text_to_utf8(path, out, SERVICE_PATH_BYTES);
}

int win32_service_command_line(const struct windows_service *service, const char *program,
                               struct command_line *line) {
    const char *argv[] = {program,         "service", "run",        "--name", service->name, "-c",
                          service->config, "--log",   service->log, NULL,     NULL,          NULL};
    if (service->handlers != NULL) {
        argv[9] = "--handlers";
        argv[10] = service->handlers;
    }
    return win32_command_line_write(argv, line);
}

/* S-1-5-80, and the five words of the SHA-1 of the name in capitals, as `sc showsid` prints it.
 * LookupAccountNameW would tell it as well, of a service that there is already. */
int win32_service_account(const char *name, char out[SERVICE_SID_BYTES],
                          struct baton_cause *cause) {
    wchar_t capitals[WINDOWS_SERVICE_NAME_MAX_BYTES];
    uint32_t words[5];
    BCRYPT_ALG_HANDLE algorithm = NULL;
    size_t length = strlen(name);
    for (size_t i = 0; i < length; i++) {
        capitals[i] = (wchar_t)(name[i] >= 'a' && name[i] <= 'z' ? name[i] - 'a' + 'A' : name[i]);
    }
    NTSTATUS status = BCryptOpenAlgorithmProvider(&algorithm, BCRYPT_SHA1_ALGORITHM, NULL, 0);
    if (status >= 0) {
        status = BCryptHash(algorithm, NULL, 0, (UCHAR *)capitals,
                            (ULONG)(length * sizeof *capitals), (UCHAR *)words, sizeof words);
        BCryptCloseAlgorithmProvider(algorithm, 0);
    }
    if (status < 0) {
        cause->call = "BCryptHash";
        cause->system_code = status;
        return BATON_SYSTEM;
    }
    text_format(out, SERVICE_SID_BYTES, "S-1-5-80-%lu-%lu-%lu-%lu-%lu", (unsigned long)words[0],
                (unsigned long)words[1], (unsigned long)words[2], (unsigned long)words[3],
                (unsigned long)words[4]);
    return BATON_OK;
}

/* ---- The log's file ---- */

/* Everybody may read what an administrator puts there, such as a config. */
static const wchar_t folder_rights[] = L"D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;0x1200a9;;;BU)";

/* The caller frees it, LocalFree(). */
static int describe(const wchar_t *rights, PSECURITY_DESCRIPTOR *out, struct baton_cause *cause) {
    return ConvertStringSecurityDescriptorToSecurityDescriptorW(rights, SDDL_REVISION_1, out, NULL)
               ? BATON_OK
               : win32_cause_last(cause, "ConvertStringSecurityDescriptorToSecurityDescriptorW");
}

static int make_folder(const wchar_t *file, struct baton_cause *cause) {
    wchar_t folder[SERVICE_PATH_BYTES];
    SECURITY_ATTRIBUTES access = {sizeof access, NULL, FALSE};
    size_t length = (size_t)(wcsrchr(file, L'\\') - file);
    memcpy(folder, file, length * sizeof *folder);
    folder[length] = L'\0';
    int code = describe(folder_rights, &access.lpSecurityDescriptor, cause);
    if (code == BATON_OK && !CreateDirectoryW(folder, &access) &&
        GetLastError() != ERROR_ALREADY_EXISTS) {
        code = win32_cause_last(cause, "CreateDirectoryW");
    }
    LocalFree(access.lpSecurityDescriptor);
    return code;
}

static bool is_of_user(PSID owner) {
    union {
        TOKEN_USER user;
        BYTE room[sizeof(TOKEN_USER) + SECURITY_MAX_SID_SIZE];
    } own;
    DWORD bytes = sizeof own;
    HANDLE token;
    if (!OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token)) {
        return false;
    }
    bool is_own = GetTokenInformation(token, TokenUser, &own, bytes, &bytes) &&
                  EqualSid(owner, own.user.User.Sid);
    CloseHandle(token);
    return is_own;
}

static bool is_trusted(PSID owner, const wchar_t *account) {
    PSID service = NULL;
    bool is_service = ConvertStringSidToSidW(account, &service) && EqualSid(owner, service);
    LocalFree(service);
    return is_service || IsWellKnownSid(owner, WinLocalSystemSid) ||
           IsWellKnownSid(owner, WinBuiltinAdministratorsSid) || is_of_user(owner);
}

static int check(HANDLE file, const wchar_t *account, struct baton_cause *cause) {
    PSID owner = NULL;
    PSECURITY_DESCRIPTOR descriptor = NULL;
    BY_HANDLE_FILE_INFORMATION about;
    DWORD error = GetSecurityInfo(file, SE_FILE_OBJECT, OWNER_SECURITY_INFORMATION, &owner, NULL,
                                  NULL, NULL, &descriptor);
    if (error != ERROR_SUCCESS) {
        return win32_cause_of(cause, "GetSecurityInfo", error);
    }
    int code = BATON_OK;
    if (!GetFileInformationByHandle(file, &about)) {
        code = win32_cause_last(cause, "GetFileInformationByHandle");
    } else if (about.nNumberOfLinks != 1 ||
               (about.dwFileAttributes &
                (FILE_ATTRIBUTE_REPARSE_POINT | FILE_ATTRIBUTE_DIRECTORY)) != 0 ||
               !is_trusted(owner, account)) {
        code = BATON_DENIED;
    }
    LocalFree(descriptor);
    return code;
}

static int make_file(const wchar_t *path, const wchar_t *account, PSECURITY_DESCRIPTOR descriptor,
                     struct baton_cause *cause) {
    SECURITY_ATTRIBUTES access = {sizeof access, descriptor, FALSE};
    HANDLE file =
        CreateFileW(path, FILE_APPEND_DATA | READ_CONTROL | WRITE_DAC | FILE_READ_ATTRIBUTES,
                    FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, &access, OPEN_ALWAYS,
                    FILE_ATTRIBUTE_NORMAL | FILE_FLAG_OPEN_REPARSE_POINT, NULL);
    if (file == INVALID_HANDLE_VALUE) {
        return win32_cause_last(cause, "CreateFileW");
    }
    int code = check(file, account, cause);
    if (code == BATON_OK && !SetKernelObjectSecurity(file, DACL_SECURITY_INFORMATION, descriptor)) {
        code = win32_cause_last(cause, "SetKernelObjectSecurity");
    }
    CloseHandle(file);
    return code;
}

int win32_service_make_log(const char *path, const char *name, struct baton_cause *cause) {
    char account[SERVICE_SID_BYTES], rights[SERVICE_SID_BYTES + 64];
    wchar_t wide_path[SERVICE_PATH_BYTES], wide_account[SERVICE_SID_BYTES];
    wchar_t wide_rights[sizeof rights];
    PSECURITY_DESCRIPTOR descriptor = NULL;
    int code = win32_service_account(name, account, cause);
    if (code == BATON_OK) {
        code = win32_text_to_room(path, wide_path, SERVICE_PATH_BYTES);
    }
    if (code == BATON_OK) {
        code = make_folder(wide_path, cause);
    }
    /* The account may write, rename and remove it. */
    text_format(rights, sizeof rights, "D:P(A;;FA;;;SY)(A;;FA;;;BA)(A;;0x1301bf;;;%s)", account);
    if (code == BATON_OK) {
        code = win32_text_to_room(rights, wide_rights, sizeof rights);
    }
    if (code == BATON_OK) {
        code = win32_text_to_room(account, wide_account, SERVICE_SID_BYTES);
    }
    if (code == BATON_OK) {
        code = describe(wide_rights, &descriptor, cause);
    }
    if (code == BATON_OK) {
        code = make_file(wide_path, wide_account, descriptor, cause);
    }
    LocalFree(descriptor);
    return code;
}
