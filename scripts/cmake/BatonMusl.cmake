# Which C library our own handlers contain or need. A program that is static, with musl, is started in a
# third of the time that one with a dynamic glibc takes (README.md has figures), and every client pays that.
#
# BATON_MUSL is AUTO (static where this is a release build for this machine and musl-gcc is there), ON (or it
# is an error) or OFF. Sets BATON_MUSL_SPECS: gcc's specs for musl, or empty.

include_guard(GLOBAL)

set(BATON_MUSL AUTO CACHE STRING "Handlers are static, with musl: AUTO, ON or OFF")
set_property(CACHE BATON_MUSL PROPERTY STRINGS AUTO ON OFF)

# Gives the reason why not, or nothing.
function(baton_look_for_musl result)
    set(folder "${CMAKE_BINARY_DIR}/musl")
    execute_process(COMMAND "${CMAKE_SOURCE_DIR}/scripts/cmake/musl" "${folder}"
        RESULT_VARIABLE status ERROR_VARIABLE reason ERROR_STRIP_TRAILING_WHITESPACE)
    if(NOT status EQUAL 0)
        set(${result} "${reason}" PARENT_SCOPE)
        return()
    endif()
    include(CheckCSourceRuns)
    set(CMAKE_REQUIRED_FLAGS "-specs=${folder}/musl.specs")
    check_c_source_runs("#include <stdio.h>\nint main(void) { return puts(\"\") < 0; }" BATON_MUSL_WORKS)
    if(NOT BATON_MUSL_WORKS)
        set(${result} "${CMAKE_C_COMPILER} makes no program of it" PARENT_SCOPE)
        return()
    endif()
    set(BATON_MUSL_SPECS "${folder}/musl.specs" PARENT_SCOPE)
    set(${result} "" PARENT_SCOPE)
endfunction()

set(BATON_MUSL_SPECS "")
set(baton_why_not "as BATON_MUSL says")
if(BATON_MUSL STREQUAL AUTO AND (WIN32 OR CMAKE_CROSSCOMPILING OR NOT BATON_HARDEN))
    set(baton_why_not "as in all builds but the release for Linux")
elseif(BATON_MUSL AND BATON_SANITIZE AND NOT BATON_MUSL STREQUAL AUTO)
    message(FATAL_ERROR "BATON_MUSL: sanitizers need glibc.")
elseif(BATON_MUSL)
    baton_look_for_musl(baton_why_not)
    if(baton_why_not AND NOT BATON_MUSL STREQUAL AUTO)
        message(FATAL_ERROR "BATON_MUSL: ${baton_why_not}")
    endif()
endif()
if(BATON_MUSL_SPECS)
    message(STATUS "Handlers: static, with musl")
else()
    message(STATUS "Handlers: with the compiler's own C library (${baton_why_not})")
endif()

# A target of C sources becomes static, with musl.
function(baton_use_musl name)
    target_compile_options(${name} PRIVATE "-specs=${BATON_MUSL_SPECS}")
    target_link_options(${name} PRIVATE "-specs=${BATON_MUSL_SPECS}")
endfunction()
