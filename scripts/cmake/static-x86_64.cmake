# Static programs for this machine's processor, with musl.
set(CMAKE_SYSTEM_PROCESSOR x86_64)
set(CMAKE_C_COMPILER gcc)
set(BATON_STATIC x86_64)
include("${CMAKE_CURRENT_LIST_DIR}/static.cmake")
