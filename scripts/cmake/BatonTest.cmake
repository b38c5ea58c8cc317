# Registers tests so that those of all presets can run in one ctest call.
#
#   baton_unit_test(NAME SOURCES a.c ... [LIBRARIES baton_core ...] [ARGUMENTS ...]
#                   [TIMEOUT seconds] [LABELS ...] [ENVIRONMENT NAME=VALUE ...] [SERIAL])
#       Builds the cmocka executable test_NAME from the sources and registers it.
#
#   baton_script_test(NAME COMMAND target-or-program arguments ... [TIMEOUT seconds] [LABELS ...]
#                     [ENVIRONMENT NAME=VALUE ...] [SERIAL])
#       Registers any command. If it is a target of ours it runs through Wine where needed.
#
# A test is called PRESET.NAME, for example dev.wire or windows.wire. Exit code 77 means skipped.
# TIMEOUT is 60 s by default. SERIAL keeps every other test away while it runs.
# Every test sees these variables:
#   BATON_PRESET        dev, asan, release, windows or fuzz
#   BATON_SOURCE_DIR    the root of the source tree
#   BATON_BIN_DIR       where batond, batonctl and baton-demo are
#   BATON_HANDLERS_DIR  where the built handlers are
#   BATON_EXE_SUFFIX    "" or ".exe"
#   BATON_EMULATOR      program that runs our executables (scripts/cmake/wine), or empty
# On Windows presets WINEPREFIX and WINEDEBUG are set too, and the prefix exists.

include_guard(GLOBAL)
find_package(Python3 REQUIRED COMPONENTS Interpreter)

set(BATON_EMULATOR "")
if(CMAKE_CROSSCOMPILING)
    set(BATON_EMULATOR "${CMAKE_CROSSCOMPILING_EMULATOR}")
endif()
set(BATON_WINEPREFIX "${CMAKE_BINARY_DIR}/wineprefix")

set(BATON_TEST_ENVIRONMENT
    "BATON_PRESET=${BATON_PRESET}"
    "BATON_SOURCE_DIR=${CMAKE_SOURCE_DIR}"
    "BATON_BIN_DIR=${CMAKE_RUNTIME_OUTPUT_DIRECTORY}"
    "BATON_HANDLERS_DIR=${BATON_HANDLERS_DIRECTORY}"
    "BATON_EXE_SUFFIX=${CMAKE_EXECUTABLE_SUFFIX}"
    "BATON_EMULATOR=${BATON_EMULATOR}"
    "PYTHONDONTWRITEBYTECODE=1")
if(BATON_SANITIZE)
    list(APPEND BATON_TEST_ENVIRONMENT
        "ASAN_OPTIONS=detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1"
        "UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1")
endif()
if(WIN32 AND CMAKE_CROSSCOMPILING)
    # The overrides keep Wine from offering to download Mono and Gecko, from writing menus, and
    # from running its debugger, for two seconds, on every handler that crashes on purpose.
    list(APPEND BATON_TEST_ENVIRONMENT "WINEPREFIX=${BATON_WINEPREFIX}" "WINEDEBUG=-all"
        "WINEDLLOVERRIDES=mscoree=\;mshtml=\;winemenubuilder.exe=d\;winedbg.exe=d")
endif()

# Properties that every test has. Arguments: the test's full name, then what the callers parsed.
function(baton_test_properties test timeout labels environment serial)
    if(NOT timeout)
        set(timeout 60)
    endif()
    set_tests_properties(${test} PROPERTIES
        TIMEOUT ${timeout}
        SKIP_RETURN_CODE 77
        LABELS "${BATON_PRESET};${labels}"
        ENVIRONMENT "${BATON_TEST_ENVIRONMENT};${environment}")
    if(serial)
        set_tests_properties(${test} PROPERTIES RUN_SERIAL ON)
    endif()
    if(WIN32 AND CMAKE_CROSSCOMPILING)
        set_tests_properties(${test} PROPERTIES FIXTURES_REQUIRED ${BATON_PRESET}.wine)
    endif()
endfunction()

function(baton_unit_test name)
    cmake_parse_arguments(PARSE_ARGV 1 T "SERIAL" "TIMEOUT"
        "SOURCES;LIBRARIES;ARGUMENTS;LABELS;ENVIRONMENT")
    string(REGEX REPLACE "^test_" "" name "${name}")
    add_executable(test_${name} ${T_SOURCES})
    target_link_libraries(test_${name} PRIVATE ${T_LIBRARIES} Baton::cmocka)
    set_target_properties(test_${name} PROPERTIES
        RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
    baton_target(test_${name})
    add_test(NAME ${BATON_PRESET}.${name} COMMAND test_${name} ${T_ARGUMENTS})
    baton_test_properties(${BATON_PRESET}.${name} "${T_TIMEOUT}" "unit;${T_LABELS}"
        "${T_ENVIRONMENT}" "${T_SERIAL}")
endfunction()

function(baton_script_test name)
    cmake_parse_arguments(PARSE_ARGV 1 T "SERIAL" "TIMEOUT" "COMMAND;LABELS;ENVIRONMENT")
    add_test(NAME ${BATON_PRESET}.${name} COMMAND ${T_COMMAND})
    baton_test_properties(${BATON_PRESET}.${name} "${T_TIMEOUT}" "${T_LABELS}"
        "${T_ENVIRONMENT}" "${T_SERIAL}")
endfunction()

# The Wine prefix is made before the first test that needs it; the server ends after the last.
if(WIN32 AND CMAKE_CROSSCOMPILING AND BATON_TESTS)
    foreach(step setup cleanup)
        add_test(NAME ${BATON_PRESET}.wine_${step}
            COMMAND "${CMAKE_SOURCE_DIR}/scripts/cmake/wine-prefix" ${step})
        string(TOUPPER ${step} upper)
        set_tests_properties(${BATON_PRESET}.wine_${step} PROPERTIES
            FIXTURES_${upper} ${BATON_PRESET}.wine
            TIMEOUT 180
            LABELS "${BATON_PRESET}"
            ENVIRONMENT "${BATON_TEST_ENVIRONMENT}")
    endforeach()
endif()
