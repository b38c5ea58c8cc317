# Cross-compiles for 64-bit Windows with mingw-w64; tests run through Wine, if there is one.
set(BATON_MINGW x86_64)
include("${CMAKE_CURRENT_LIST_DIR}/mingw-w64.cmake")
