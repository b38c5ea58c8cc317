# Static programs for 32-bit ARM with a floating-point unit (Debian's armhf), with musl; tests run through
# qemu-user, if it is there.
set(CMAKE_SYSTEM_PROCESSOR arm)
set(CMAKE_C_COMPILER arm-linux-gnueabihf-gcc)
set(BATON_STATIC armhf)
include("${CMAKE_CURRENT_LIST_DIR}/static.cmake")
find_program(BATON_QEMU NAMES qemu-arm-static qemu-arm)
if(BATON_QEMU)
    set(CMAKE_CROSSCOMPILING_EMULATOR "${BATON_QEMU}")
endif()
