# baton_program(NAME DESCRIPTION): what a program that is given to users has besides its code. Nothing
# but for Windows: a manifest and a version resource (windows/), and its debug information in a file of
# its own, debug/NAME.debug below the build, which gdb takes by the link in the program and its command
# `set debug-file-directory`.
function(baton_program name description)
    if(NOT WIN32)
        return()
    endif()
    set(BATON_PROGRAM ${name})
    set(BATON_DESCRIPTION "${description}")
    set(resource "${CMAKE_CURRENT_BINARY_DIR}/${name}.rc")
    configure_file("${CMAKE_SOURCE_DIR}/scripts/cmake/windows/program.rc.in" "${resource}" @ONLY)
    set(manifest "${CMAKE_SOURCE_DIR}/scripts/cmake/windows/baton.manifest")
    set_source_files_properties("${resource}" PROPERTIES
        OBJECT_DEPENDS "${manifest}"
        COMPILE_OPTIONS "-I;${CMAKE_SOURCE_DIR}/scripts/cmake/windows")
    target_sources(${name} PRIVATE "${resource}")
    if(CMAKE_BUILD_TYPE STREQUAL Release AND CMAKE_OBJCOPY)
        set(debug "${CMAKE_BINARY_DIR}/debug/${name}.debug")
        # What it writes has no time, as what the linker writes has none.
        set(objcopy "${CMAKE_COMMAND}" -E env SOURCE_DATE_EPOCH=0 "${CMAKE_OBJCOPY}")
        add_custom_command(TARGET ${name} POST_BUILD VERBATIM
            COMMAND "${CMAKE_COMMAND}" -E make_directory "${CMAKE_BINARY_DIR}/debug"
            COMMAND ${objcopy} --only-keep-debug "$<TARGET_FILE:${name}>" "${debug}"
            COMMAND ${objcopy} --strip-all "--add-gnu-debuglink=${debug}"
                "$<TARGET_FILE:${name}>")
    endif()
endfunction()
