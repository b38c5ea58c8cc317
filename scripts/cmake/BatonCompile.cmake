# Compiler settings for every target of the project: baton_target(NAME) applies them.

# What makes a program smaller than -Os alone, where the compiler has it: batond by 5 % with gcc 12, which
# leaves a value in a register that a call would have to save more often than it pays, and widens the
# gaps between tables. Without a procedure linkage table calls are as direct as they can be where all
# names are bound at the start; in a static program all calls are direct, and shorter when the compiler is
# not told to do without. At the link gcc sees the registers that a function leaves alone only for callers
# in the same partition, so there is one. What the whole program says of where pointers lead saves it
# another kilobyte of loads. -Oz comes with gcc 12 and with every clang.
if(BATON_HARDEN AND NOT WIN32)
    include(CheckCCompilerFlag)
    set(baton_small -Oz -fno-caller-saves -fno-jump-tables -fno-move-loop-invariants -malign-data=abi
        -flto-partition=one -fipa-pta)
    if(NOT BATON_STATIC)
        list(APPEND baton_small -fno-plt)
    endif()
    # What makes libyaml's scanner smaller, by a tenth; batond itself grows by it.
    set(baton_small_yaml -fno-tree-forwprop -fno-inline-small-functions -fira-algorithm=priority -mtune=atom)
    foreach(flag ${baton_small_yaml} ${baton_small})
        string(MAKE_C_IDENTIFIER "BATON_HAS${flag}" has)
        set(CMAKE_REQUIRED_FLAGS -Werror)
        check_c_compiler_flag(${flag} ${has})
        unset(CMAKE_REQUIRED_FLAGS)
        if(${has} AND flag IN_LIST baton_small_yaml)
            list(APPEND BATON_SMALL_YAML ${flag})
        elseif(${has})
            list(APPEND BATON_SMALL ${flag})
        endif()
    endforeach()
endif()

# winnt.h takes the compilers' intrinsics for each x86 there is, three fifths of all that a file with
# windows.h reads. Nobody here calls one, so their headers (gcc's, clang's) are said to be there already:
# such a file takes a fifth of the time with gcc 12, and clang-tidy half of it.
if(MINGW)
    add_compile_definitions(_X86INTRIN_H_INCLUDED __X86INTRIN_H)
endif()

# What is smaller or harder to attack, but needs optimisation or slows debugging.
function(baton_harden name)
    target_compile_options(${name} PRIVATE -ffunction-sections -fvisibility=hidden
        -fno-strict-aliasing)
    if(NOT WIN32)
        target_compile_options(${name} PRIVATE -fdata-sections)
    else()
        # Sections for data would make zeros of .bss bytes of the file: batond has 1 MiB of them.
        target_link_options(${name} PRIVATE -Wl,--gc-sections -Wl,--dynamicbase -Wl,--nxcompat)
        # The same sources give the same program whenever and wherever: it has a sum of its debug information.
        target_compile_options(${name} PRIVATE "-ffile-prefix-map=${CMAKE_SOURCE_DIR}/=")
        target_link_options(${name} PRIVATE -Wl,--no-insert-timestamp)
        if(CMAKE_SIZEOF_VOID_P EQUAL 8)
            target_link_options(${name} PRIVATE -Wl,--high-entropy-va)
        endif()
        return()
    endif()
    target_compile_options(${name} PRIVATE ${BATON_SMALL})
    # Nothing unwinds through C; a debugger finds what it needs in a build with -g.
    target_compile_options(${name} PRIVATE -fno-asynchronous-unwind-tables -fno-unwind-tables)
    # Some compilers define _FORTIFY_SOURCE themselves; a second definition would be a warning.
    target_compile_options(${name} PRIVATE -fstack-protector-strong -U_FORTIFY_SOURCE
        -D_FORTIFY_SOURCE=2)
    target_link_options(${name} PRIVATE ${BATON_SMALL} -Wl,--gc-sections -Wl,--as-needed -Wl,-O1
        -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--no-eh-frame-hdr)
endfunction()

function(baton_target name)
    target_compile_options(${name} PRIVATE -Wall -Wextra -Wshadow -Wstrict-prototypes
        -Wmissing-prototypes -Wwrite-strings -Wvla -Wformat=2 -Wundef -Wconversion -Wno-sign-conversion)
    # What a program says of its own source does not depend on where that was compiled.
    target_compile_options(${name} PRIVATE "-fmacro-prefix-map=${CMAKE_SOURCE_DIR}/=")
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

# What batond consists of is optimised at the link, as its own code is (supervisor/CMakeLists.txt).
function(baton_optimise_at_link name)
    if(BATON_HARDEN AND NOT WIN32)
        set_target_properties(${name} PROPERTIES INTERPROCEDURAL_OPTIMIZATION ON)
        if(BATON_TESTS)
            target_compile_options(${name} PRIVATE -ffat-lto-objects)
        endif()
    endif()
endfunction()
