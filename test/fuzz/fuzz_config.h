/*
 * What the two fuzz targets of the config share.
 */
#ifndef BATON_FUZZ_CONFIG_H
#define BATON_FUZZ_CONFIG_H

#include "core/config/config.h"

#include <stdint.h>

/* Reads the bytes as a config, on both made-up machines, and checks what must hold for any bytes:
 * a result that is OK or INVALID, faults exactly when it is not OK, every fault of a valid form,
 * and a table whose services keep the promises of core/service/service.h. */
void fuzz_config(enum config_format format, const uint8_t *bytes, size_t length);

#endif
