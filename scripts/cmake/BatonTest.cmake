# Registers tests so that those of all presets can run in one ctest call.
#
#   baton_unit_test(NAME KIND kind SOURCES a.c ... [LIBRARIES baton_base ...] [TIMEOUT seconds]
#                   [LABELS ...] [ENVIRONMENT NAME=VALUE ...] [APART])
#       Builds the cmocka executable test_NAME from the sources and registers it. Where programs run
#       through Wine, which takes half a second to start one, the PURE ones without APART become
#       groups of the one program test_units instead, and run as the one test `units`.
#
#   baton_script_test(NAME KIND kind COMMAND target-or-program arguments ... [TIMEOUT seconds]
#                     [LABELS ...] [ENVIRONMENT NAME=VALUE ...])
#       Registers any command. If it is a target of ours it runs through Wine where needed.
#
#   baton_test_program(NAME KIND kind SOURCES a.c ... [LIBRARIES ...] [FOLDER folder])
#       Builds a program that tests of that kind need, in the build's folder tests, or another.
#
# A test is called PRESET.NAME, for example dev.wire or windows.wire. Exit code 77 means skipped.
# TIMEOUT is 120 s by default and 300 s at most: that is what a hang may cost. scripts/test names each
# test that needs more than a third of its own.
# Every test sees these variables:
#   BATON_PRESET        dev, asan, release, windows or fuzz
#   BATON_SOURCE_DIR    the root of the source tree
#   BATON_BIN_DIR       where batond, batonctl and baton-demo are
#   BATON_HANDLERS_DIR  where the built handlers are
#   BATON_EXE_SUFFIX    "" or ".exe"
#   BATON_EMULATOR      program that runs our executables (scripts/cmake/wine), or empty
#   BATON_CONTROL       none: batonds of different tests would have one control socket
#   LC_ALL              C.UTF-8: without a locale Wine makes no file whose name is not ASCII
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
    "LC_ALL=C.UTF-8"
    "BATON_CONTROL=none"
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

# The gate (scripts/test) runs a test under every build that can fail it differently. The test names its
# kind, and this is where a kind runs; by hand and with `scripts/test --all` every build runs all of it.
#
# PURE: calls nothing of the system, so a build can only change what the code means. asan sees undefined
# behaviour and lost memory; windows has the other compiler's optimiser and the other data model, where
# a long has 32 bits, and that is all there is to find. static-armhf, of which scripts/build-static runs
# these, has pointers and sizes of 32 bits; qemu-user refuses what batond asks of the system for the others.
set(BATON_KIND_PURE asan windows static-armhf)
# SANITIZED: leads the code to odd places (kept inputs of the fuzzers, no memory at the nth allocation)
# where the sanitizers can tell right from wrong, and hardly anything else can.
set(BATON_KIND_SANITIZED asan)
# SYSTEM: speaks to the kernel. asan sees what is wrong in memory, release is what users get (another
# compiler, -Os, without asserts, hardened, at its real speed), windows is another system. What dev
# would fail, one of the first two fails.
set(BATON_KIND_SYSTEM asan release windows)
# PATIENT: speaks to the kernel, and waits for seconds by design, for what the pool, the loop and the SDK decide:
# what the optimiser does to these, SYSTEM's tests of the same calls see in release.
set(BATON_KIND_PATIENT asan windows)
# FOREIGN: programs of others at the other end. They see what we send, which is the same in every
# build, and SYSTEM has taken the same ways with the sanitizers; so once, as users have it.
set(BATON_KIND_FOREIGN release)
# SHIPPED: looks at the files that users get.
set(BATON_KIND_SHIPPED release windows)
# TREE: looks at nothing that is compiled: a page, the SDK for Python, the tests' own tools.
set(BATON_KIND_TREE dev)
# HERE: is registered only by the presets that it is for, such as the lint.
set(BATON_KIND_HERE ${BATON_PRESET})

# Whether the gate runs tests of this kind in this build.
function(baton_in_gate kind result)
    if(NOT DEFINED BATON_KIND_${kind})
        message(FATAL_ERROR "KIND `${kind}` of a test: see the kinds in scripts/cmake/BatonTest.cmake")
    endif()
    set(${result} FALSE)
    if(BATON_PRESET IN_LIST BATON_KIND_${kind})
        set(${result} TRUE)
    endif()
    set(${result} ${${result}} PARENT_SCOPE)
endfunction()

# What the gate needs of this build: the product, and what baton_gate_needs names.
add_custom_target(gate)

function(baton_gate_needs kind)
    baton_in_gate("${kind}" inside)
    if(inside)
        add_dependencies(gate ${ARGN})
    endif()
endfunction()

# How many of scripts/test's slots a test takes, of which there are two for each processor: one that
# works all the time takes two, one that mostly waits for others takes one. Wine's do both at once. There is
# one more, for clang-tidy, of which one part at a time runs from the start on (test/lint/CMakeLists.txt).
function(baton_slots kind result)
    set(${result} 2 PARENT_SCOPE)
    if(kind MATCHES "^(SYSTEM|PATIENT|FOREIGN)$" AND NOT BATON_EMULATOR)
        set(${result} 1 PARENT_SCOPE)
    endif()
endfunction()

# Properties that every test has. Arguments: the test's full name, its kind, then what the callers
# parsed.
function(baton_test_properties test kind timeout labels environment)
    if(NOT timeout)
        set(timeout 120)
    elseif(timeout GREATER 300)
        message(FATAL_ERROR "${test}: a hang must not cost ${timeout} s")
    endif()
    baton_in_gate("${kind}" inside)
    if(inside)
        list(APPEND labels gate)
    endif()
    baton_slots("${kind}" slots)
    set_tests_properties(${test} PROPERTIES
        TIMEOUT ${timeout}
        SKIP_RETURN_CODE 77
        PROCESSORS ${slots}
        LABELS "${BATON_PRESET};${labels}"
        ENVIRONMENT "${BATON_TEST_ENVIRONMENT};${environment}")
    if(WIN32 AND CMAKE_CROSSCOMPILING)
        # Those through Wine take the longest; scripts/test wants them to start before the others.
        set_tests_properties(${test} PROPERTIES FIXTURES_REQUIRED ${BATON_PRESET}.wine COST 100)
    endif()
endfunction()

function(baton_test_program name)
    cmake_parse_arguments(PARSE_ARGV 1 T "" "KIND;FOLDER" "SOURCES;LIBRARIES")
    add_executable(${name} ${T_SOURCES})
    target_link_libraries(${name} PRIVATE ${T_LIBRARIES})
    # Of a library that is optimised at the link it takes the objects as they were compiled: such a link
    # takes as long for each of the tests as for batond, which the tests of whole programs run.
    if(BATON_HARDEN AND NOT WIN32)
        target_link_options(${name} PRIVATE -fno-lto)
    endif()
    if(NOT T_FOLDER)
        set(T_FOLDER "${CMAKE_BINARY_DIR}/tests")
    endif()
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${T_FOLDER}")
    baton_target(${name})
    baton_gate_needs("${T_KIND}" ${name})
endfunction()

function(baton_unit_test name)
    cmake_parse_arguments(PARSE_ARGV 1 T "APART" "KIND;TIMEOUT"
        "SOURCES;LIBRARIES;LABELS;ENVIRONMENT")
    string(REGEX REPLACE "^test_" "" name "${name}")
    if(T_KIND STREQUAL PURE AND BATON_EMULATOR AND NOT T_APART)
        baton_unit_group(${name} "${T_SOURCES}" "${T_LIBRARIES}" "${T_ENVIRONMENT}")
        return()
    endif()
    baton_test_program(test_${name} KIND ${T_KIND} SOURCES ${T_SOURCES}
        LIBRARIES ${T_LIBRARIES} Baton::cmocka)
    if(WIN32 AND CMAKE_CROSSCOMPILING)
        set_target_properties(test_${name} PROPERTIES CROSSCOMPILING_EMULATOR "${CMAKE_SOURCE_DIR}/scripts/cmake/wine-test")
    endif()
    add_test(NAME ${BATON_PRESET}.${name} COMMAND test_${name})
    baton_test_properties(${BATON_PRESET}.${name} "${T_KIND}" "${T_TIMEOUT}" "unit;${T_LABELS}"
        "${T_ENVIRONMENT}")
endfunction()

function(baton_script_test name)
    cmake_parse_arguments(PARSE_ARGV 1 T "" "KIND;TIMEOUT" "COMMAND;LABELS;ENVIRONMENT")
    # By its path: for the imported target CMake puts the emulator before it, and Wine runs a program of
    # Linux without passing on how it ended, so that no test in Python could fail.
    list(TRANSFORM T_COMMAND REPLACE "^Python3::Interpreter$" "${Python3_EXECUTABLE}")
    add_test(NAME ${BATON_PRESET}.${name} COMMAND ${T_COMMAND})
    baton_test_properties(${BATON_PRESET}.${name} "${T_KIND}" "${T_TIMEOUT}" "${T_LABELS}"
        "${T_ENVIRONMENT}")
endfunction()

# A unit test's sources as objects whose main has a name of its own, test_NAME_main.
function(baton_unit_group name sources libraries environment)
    set(header "${CMAKE_CURRENT_BINARY_DIR}/test_${name}_main.h")
    file(CONFIGURE OUTPUT "${header}" CONTENT
        "int test_@name@_main(void);\n#define main test_@name@_main\n" @ONLY)
    add_library(test_${name} OBJECT ${sources})
    target_link_libraries(test_${name} PRIVATE ${libraries} Baton::cmocka)
    target_compile_options(test_${name} PRIVATE "SHELL:-include \"${header}\"")
    baton_target(test_${name})
    set_property(GLOBAL APPEND PROPERTY BATON_UNIT_GROUPS ${name})
    set_property(GLOBAL APPEND PROPERTY BATON_UNIT_LIBRARIES ${libraries})
    set_property(GLOBAL APPEND PROPERTY BATON_UNIT_ENVIRONMENT ${environment})
endfunction()

# Called once after all unit tests: one program of all groups, if there are any.
function(baton_units main)
    get_property(groups GLOBAL PROPERTY BATON_UNIT_GROUPS)
    get_property(libraries GLOBAL PROPERTY BATON_UNIT_LIBRARIES)
    get_property(environment GLOBAL PROPERTY BATON_UNIT_ENVIRONMENT)
    if(NOT groups)
        return()
    endif()
    list(REMOVE_DUPLICATES libraries)
    list(REMOVE_DUPLICATES environment)
    list(TRANSFORM groups REPLACE ".+" "GROUP(\\0)" OUTPUT_VARIABLE rows)
    list(JOIN rows " " rows)
    set(folder "${CMAKE_CURRENT_BINARY_DIR}/units")
    file(CONFIGURE OUTPUT "${folder}/unit_groups.h" CONTENT "#define UNIT_GROUPS @rows@\n" @ONLY)
    list(TRANSFORM groups REPLACE ".+" "$<TARGET_OBJECTS:test_\\0>" OUTPUT_VARIABLE objects)
    baton_test_program(test_units KIND PURE SOURCES ${main} ${objects}
        LIBRARIES ${libraries} Baton::cmocka)
    target_include_directories(test_units PRIVATE "${folder}")
    add_test(NAME ${BATON_PRESET}.units COMMAND test_units)
    baton_test_properties(${BATON_PRESET}.units PURE 300 unit "${environment}")
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
