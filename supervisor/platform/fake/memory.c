/* How much memory a process has: as much as the test says. */
#include "platform/fake/internal.h"

int platform_process_resident(struct platform_process *process, uint32_t *resident_kib) {
    if (process->face.is_closed) {
        fake_wrong("a closed process was asked for its memory");
    }
    process->face.measured_count++;
    if (!process->face.is_alive || process->resident_kib == 0) {
        return BATON_GONE;
    }
    if (fake_world.measures_late && !process->is_measured) {
        process->is_measured = process->measured_due = true;
        return BATON_AGAIN;
    }
    process->is_measured = process->measured_due = false;
    *resident_kib = process->resident_kib;
    return BATON_OK;
}

void fake_handler_has_memory(uint32_t process, uint32_t resident_kib) {
    fake_world.processes[process]->resident_kib = resident_kib;
}

void fake_measures_late(bool on) {
    fake_world.measures_late = on;
}

void fake_handler_costs(uint32_t process, uint64_t cpu_us, uint32_t memory_peak_kib) {
    fake_world.processes[process]->cpu_us = cpu_us;
    fake_world.processes[process]->memory_peak_kib = memory_peak_kib;
}
