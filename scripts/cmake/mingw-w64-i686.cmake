# Cross-compiles for 32-bit Windows with mingw-w64: handlers, since batond has 64 bits.
set(BATON_MINGW i686)
include("${CMAKE_CURRENT_LIST_DIR}/mingw-w64.cmake")
