# Compiler settings for every target of the project: baton_target(NAME) applies them.

function(baton_target name)
    target_compile_options(${name} PRIVATE -Wall -Wextra -Wshadow -Wstrict-prototypes
        -Wmissing-prototypes -Wwrite-strings -Wvla -Wformat=2 -Wundef -Wconversion -Wno-sign-conversion)
    if(BATON_WERROR)
        target_compile_options(${name} PRIVATE -Werror)
    endif()
    if(BATON_SANITIZE)
        target_compile_options(${name} PRIVATE -fsanitize=address,undefined
            -fno-sanitize-recover=all -fno-omit-frame-pointer)
        target_link_options(${name} PRIVATE -fsanitize=address,undefined)
    endif()
    if(WIN32)
        target_compile_definitions(${name} PRIVATE UNICODE _UNICODE WIN32_LEAN_AND_MEAN
            _WIN32_WINNT=0x0A00 WINVER=0x0A00)
    else()
        target_compile_definitions(${name} PRIVATE _GNU_SOURCE)
    endif()
endfunction()
