# Cross-compiles for 64-bit Windows with mingw-w64; tests run through Wine, if there is one.

set(CMAKE_SYSTEM_NAME Windows)
set(CMAKE_SYSTEM_PROCESSOR x86_64)
set(CMAKE_C_COMPILER x86_64-w64-mingw32-gcc)
set(CMAKE_RC_COMPILER x86_64-w64-mingw32-windres)

set(CMAKE_FIND_ROOT_PATH /usr/x86_64-w64-mingw32)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)

# The compiler's own libraries go into the executable: users get one file and no DLL beside it.
set(CMAKE_EXE_LINKER_FLAGS_INIT "-static")

# Runs the Windows tests; without Wine the programs are built all the same.
execute_process(COMMAND "${CMAKE_CURRENT_LIST_DIR}/wine" --find
    OUTPUT_QUIET ERROR_QUIET RESULT_VARIABLE BATON_WINE_MISSING)
if(BATON_WINE_MISSING EQUAL 0)
    set(CMAKE_CROSSCOMPILING_EMULATOR "${CMAKE_CURRENT_LIST_DIR}/wine")
endif()
