#include "fuzz_config.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
    fuzz_config(CONFIG_FORMAT_YAML, bytes, length);
    return 0;
}
