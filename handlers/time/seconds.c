#include "seconds.h"

#define FROM_1900_TO_1970 INT64_C(2208988800)

bool seconds_since_1900(int64_t since_1970, unsigned char out[SECONDS_BYTES]) {
    int64_t seconds = since_1970 + FROM_1900_TO_1970;
    if (seconds < 0 || seconds > UINT32_MAX)
        return false;
    for (int i = SECONDS_BYTES; i-- > 0; seconds >>= 8)
        out[i] = (unsigned char)(seconds & 0xff);
    return true;
}
