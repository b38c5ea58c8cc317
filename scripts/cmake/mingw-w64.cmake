# What the toolchains for Windows have in common: BATON_MINGW names the processor.

set(CMAKE_SYSTEM_NAME Windows)
set(CMAKE_SYSTEM_PROCESSOR ${BATON_MINGW})
set(CMAKE_C_COMPILER ${BATON_MINGW}-w64-mingw32-gcc)
set(CMAKE_RC_COMPILER ${BATON_MINGW}-w64-mingw32-windres)

set(CMAKE_FIND_ROOT_PATH /usr/${BATON_MINGW}-w64-mingw32)
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
