# What the toolchains for static programs have in common: BATON_STATIC is the argument of scripts/cmake/musl,
# and CMAKE_C_COMPILER the compiler that it makes specs for.

set(CMAKE_SYSTEM_NAME Linux)

# Each preset of such a kind has a folder of its own there, found again when CMake tries the compiler.
set(BATON_MUSL_FOLDER "${CMAKE_CURRENT_LIST_DIR}/../../build/musl-small/${BATON_STATIC}")
if(NOT EXISTS "${BATON_MUSL_FOLDER}/musl.specs")
    execute_process(COMMAND "${CMAKE_CURRENT_LIST_DIR}/musl" --small "${BATON_MUSL_FOLDER}" ${BATON_STATIC}
        RESULT_VARIABLE BATON_MUSL_MISSING)
    if(BATON_MUSL_MISSING)
        message(FATAL_ERROR "There is no musl to build with; see above.")
    endif()
endif()
file(REAL_PATH "${BATON_MUSL_FOLDER}" BATON_MUSL_FOLDER)

set(CMAKE_C_FLAGS_INIT "-specs=${BATON_MUSL_FOLDER}/musl.specs -DBATON_FORKS_BARELY=1")
# Code and constants in one segment: pages of the file and of memory that were there to part them. And no more
# gaps between functions or tables than there have to be, and one table of the names that nobody looks up here.
set(CMAKE_EXE_LINKER_FLAGS_INIT "-Wl,-z,noseparate-code -Wl,--sort-section=alignment -Wl,--hash-style=sysv")
