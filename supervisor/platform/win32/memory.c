/* What a process has used: memory, and time on processors. */
#include "internal.h"

#include <psapi.h>

static uint32_t kib_of(uint64_t bytes) {
    return bytes / 1024u > UINT32_MAX ? UINT32_MAX : (uint32_t)(bytes / 1024u);
}

/* https://learn.microsoft.com/windows/win32/api/psapi/nf-psapi-getprocessmemoryinfo */
int platform_process_resident(struct platform_process *process, uint32_t *resident_kib) {
    PROCESS_MEMORY_COUNTERS memory = {.cb = sizeof memory};
    if (process->exited || !K32GetProcessMemoryInfo(process->handle, &memory, sizeof memory) ||
        memory.WorkingSetSize == 0) {
        return BATON_GONE;
    }
    *resident_kib = kib_of(memory.WorkingSetSize);
    return BATON_OK;
}

static uint64_t us_of(FILETIME time) { /* 100 ns */
    return (((uint64_t)time.dwHighDateTime << 32) | time.dwLowDateTime) / 10u;
}

/* The job adds up all who were in it; where it says nothing at all, the leader's own will do. That
 * it says 0 is no such thing: Wine 8.0 does, and its GetProcessTimes() of any process tells the
 * times of the caller.
 * https://learn.microsoft.com/windows/win32/api/winnt/ns-winnt-jobobject_basic_accounting_information
 * https://learn.microsoft.com/windows/win32/api/winnt/ns-winnt-jobobject_extended_limit_information
 * https://learn.microsoft.com/windows/win32/api/processthreadsapi/nf-processthreadsapi-getprocesstimes
 */
void win32_process_account(const struct platform_process *process, struct platform_exit *how) {
    JOBOBJECT_BASIC_ACCOUNTING_INFORMATION times = {0};
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits = {0};
    PROCESS_MEMORY_COUNTERS memory = {.cb = sizeof memory};
    FILETIME created, ended, in_kernel, in_user;
    if (QueryInformationJobObject(process->job, JobObjectBasicAccountingInformation, &times,
                                  sizeof times, NULL)) {
        how->cpu_us =
            (uint64_t)(times.TotalUserTime.QuadPart + times.TotalKernelTime.QuadPart) / 10u;
    } else if (GetProcessTimes(process->handle, &created, &ended, &in_kernel, &in_user)) {
        how->cpu_us = us_of(in_kernel) + us_of(in_user);
    }
    if (QueryInformationJobObject(process->job, JobObjectExtendedLimitInformation, &limits,
                                  sizeof limits, NULL)) {
        how->memory_peak_kib = kib_of(limits.PeakProcessMemoryUsed);
    }
    if (how->memory_peak_kib == 0 &&
        K32GetProcessMemoryInfo(process->handle, &memory, sizeof memory)) {
        how->memory_peak_kib = kib_of(memory.PeakWorkingSetSize);
    }
}
