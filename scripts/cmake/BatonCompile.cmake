# Compiler settings for every target of the project: baton_target(NAME) applies them.

# Relative relocations in a few bytes each instead of 24; the system's loader has to know them too
# (glibc 2.36), which only a run can tell.
if(BATON_HARDEN AND NOT WIN32 AND NOT CMAKE_CROSSCOMPILING)
    include(CheckCSourceRuns)
    set(CMAKE_REQUIRED_FLAGS -fPIE)
    set(CMAKE_REQUIRED_LINK_OPTIONS -pie -Wl,--fatal-warnings -Wl,-z,pack-relative-relocs)
    check_c_source_runs("
        static int value;
        static int *volatile places[] = {&value, &value, &value};
        int main(void) { return places[2] != &value; }" BATON_PACKED_RELOCATIONS)
    unset(CMAKE_REQUIRED_FLAGS)
    unset(CMAKE_REQUIRED_LINK_OPTIONS)
endif()

# What makes a program smaller than -Os alone, where the compiler has it: by 3.6 % of batond's code with
# gcc 12, which leaves a value in a register that a call would have to save more often than it pays.
# -Oz comes with gcc 12 and with every clang.
if(BATON_HARDEN AND NOT WIN32)
    include(CheckCCompilerFlag)
    foreach(flag -Oz -fno-caller-saves -fno-move-loop-invariants)
        string(MAKE_C_IDENTIFIER "BATON_HAS${flag}" has)
        set(CMAKE_REQUIRED_FLAGS -Werror)
        check_c_compiler_flag(${flag} ${has})
        unset(CMAKE_REQUIRED_FLAGS)
        if(${has})
            list(APPEND BATON_SMALL ${flag})
        endif()
    endforeach()
endif()

# What is smaller or harder to attack, but needs optimisation or slows debugging.
function(baton_harden name)
    target_compile_options(${name} PRIVATE -ffunction-sections -fdata-sections -fvisibility=hidden
        -fno-strict-aliasing)
    if(WIN32)
        target_link_options(${name} PRIVATE -Wl,--gc-sections -Wl,--dynamicbase -Wl,--nxcompat
            -Wl,--high-entropy-va)
        return()
    endif()
    target_compile_options(${name} PRIVATE ${BATON_SMALL})
    # Nothing unwinds through C; a debugger finds what it needs in a build with -g.
    target_compile_options(${name} PRIVATE -fno-asynchronous-unwind-tables -fno-unwind-tables)
    # Some compilers define _FORTIFY_SOURCE themselves; a second definition would be a warning.
    target_compile_options(${name} PRIVATE -fstack-protector-strong -U_FORTIFY_SOURCE
        -D_FORTIFY_SOURCE=2)
    target_link_options(${name} PRIVATE -Wl,--gc-sections -Wl,--as-needed -Wl,-O1
        -Wl,-z,relro,-z,now,-z,noexecstack)
    if(BATON_PACKED_RELOCATIONS)
        target_link_options(${name} PRIVATE -Wl,-z,pack-relative-relocs)
    endif()
endfunction()

function(baton_target name)
    target_compile_options(${name} PRIVATE -Wall -Wextra -Wshadow -Wstrict-prototypes
        -Wmissing-prototypes -Wwrite-strings -Wvla -Wformat=2 -Wundef -Wconversion -Wno-sign-conversion)
    if(BATON_WERROR)
        target_compile_options(${name} PRIVATE -Werror)
    endif()
    if(BATON_HARDEN)
        baton_harden(${name})
    endif()
    if(BATON_SANITIZE)
        target_compile_options(${name} PRIVATE -fsanitize=address,undefined
            -fno-sanitize-recover=all -fno-omit-frame-pointer)
        target_link_options(${name} PRIVATE -fsanitize=address,undefined)
    endif()
    if(BATON_FUZZ)
        # Coverage for every object; only the fuzz targets link the fuzzer's own main().
        target_compile_options(${name} PRIVATE -fsanitize=fuzzer-no-link)
        target_link_options(${name} PRIVATE -fsanitize=fuzzer-no-link)
    endif()
    if(WIN32)
        # mingw's own printf: the one of msvcrt.dll knows neither %zu nor %lld.
        target_compile_definitions(${name} PRIVATE UNICODE _UNICODE WIN32_LEAN_AND_MEAN
            _WIN32_WINNT=0x0A00 WINVER=0x0A00 __USE_MINGW_ANSI_STDIO=1)
    else()
        target_compile_definitions(${name} PRIVATE _GNU_SOURCE)
    endif()
endfunction()
