# What `cmake --install` installs; BatonFolders.cmake says where to. Each group is for somebody else: who runs
# batond, who writes handlers in C, in Python, who reads, and the system's own software.
#
# Whatever is there later is found by itself: batonctl by its target, pages by the folder `man` of the build
# (NAME.SECTION), completions of bash by the folder scripts/completion.

include_guard(GLOBAL)
include(CMakePackageConfigHelpers)

set(baton_installed "${CMAKE_SOURCE_DIR}/scripts/cmake/installed")
set(baton_made "${CMAKE_BINARY_DIR}/installed")

function(baton_install_programs folder)
    foreach(program ${ARGN})
        if(TARGET ${program})
            install(TARGETS ${program} RUNTIME DESTINATION "${folder}")
        endif()
    endforeach()
endfunction()

baton_install_programs("${BATON_SBIN_DIR}" batond baton-keeper)
if(NOT WIN32)
    baton_install_programs("${BATON_LIBEXEC_DIR}" baton-config)
endif()
baton_install_programs("${BATON_BIN_DIR}" batonctl baton-import)
get_property(baton_handlers GLOBAL PROPERTY BATON_HANDLERS)
baton_install_programs("${BATON_HANDLERS_DIR}" ${baton_handlers})
# The client of `ok` shows newcomers with the zip what happens; elsewhere nobody would look for it.
if(WIN32)
    baton_install_programs("${BATON_BIN_DIR}" baton-demo)
endif()

# libbaton: Baton::baton for find_package(Baton), and `pkg-config baton`. Both find their folder from their own
# place, so that what is installed can be moved.
install(TARGETS baton EXPORT Baton ARCHIVE DESTINATION "${BATON_LIB_DIR}" INCLUDES DESTINATION "${BATON_INCLUDE_DIR}")
install(FILES "${CMAKE_SOURCE_DIR}/handlers/sdk/baton.h" DESTINATION "${BATON_INCLUDE_DIR}")
install(EXPORT Baton NAMESPACE Baton:: FILE BatonConfig.cmake DESTINATION "${BATON_LIB_DIR}/cmake/Baton")
# Before 1.0 another minor version may be another interface.
write_basic_package_version_file("${baton_made}/BatonConfigVersion.cmake" COMPATIBILITY SameMinorVersion)
install(FILES "${baton_made}/BatonConfigVersion.cmake" DESTINATION "${BATON_LIB_DIR}/cmake/Baton")
cmake_path(RELATIVE_PATH CMAKE_INSTALL_PREFIX BASE_DIRECTORY "${CMAKE_INSTALL_PREFIX}/${BATON_LIB_DIR}/pkgconfig"
    OUTPUT_VARIABLE BATON_PREFIX_FROM_PC)
string(REGEX REPLACE "/$" "" BATON_PREFIX_FROM_PC "${BATON_PREFIX_FROM_PC}")
set(BATON_PC_LIBRARIES "")
if(WIN32)
    set(BATON_PC_LIBRARIES " -lws2_32")
endif()
configure_file("${baton_installed}/baton.pc.in" "${baton_made}/baton.pc" @ONLY)
install(FILES "${baton_made}/baton.pc" DESTINATION "${BATON_LIB_DIR}/pkgconfig")

# What is to be read.
install(FILES "${CMAKE_SOURCE_DIR}/handlers/PROTOCOL.md" "${CMAKE_SOURCE_DIR}/conf/KEYS.md"
    DESTINATION "${BATON_DOC_DIR}")
install(FILES "${CMAKE_SOURCE_DIR}/conf/ports.ini" "${CMAKE_SOURCE_DIR}/conf/ports.yaml"
    DESTINATION "${BATON_DOC_DIR}/examples")

if(WIN32)
    # What the zip is. Python has no folder of the system's: its modules are where the handlers are.
    install(PROGRAMS ${BATON_PYTHON_HANDLERS} DESTINATION "${BATON_HANDLERS_DIR}")
    install(FILES ${BATON_PYTHON_MODULES} DESTINATION "${BATON_HANDLERS_DIR}")
    install(FILES "${CMAKE_SOURCE_DIR}/README.md" "${CMAKE_SOURCE_DIR}/CHANGELOG.md" "${CMAKE_SOURCE_DIR}/LICENSE"
        DESTINATION .)
    install(CODE "set(baton_config \"\${CMAKE_INSTALL_PREFIX}/conf\")")
else()
    install(DIRECTORY "${BATON_PYTHON_PACKAGE}" DESTINATION "${BATON_PYTHON_DIR}" FILES_MATCHING PATTERN "*.py")
    install(PROGRAMS ${BATON_PYTHON_HANDLERS} DESTINATION "${BATON_DOC_DIR}/examples")
    install(FILES "${CMAKE_SOURCE_DIR}/README.md" "${CMAKE_SOURCE_DIR}/CHANGELOG.md" DESTINATION "${BATON_DOC_DIR}")
    # For a prefix other than that of the configuration everything is below that one: who says so has no other
    # place in mind. batond was told the other prefix, so it has to be told this one.
    install(CODE "set(baton_etc \"${BATON_ETC_DIR}\")
        if(NOT CMAKE_INSTALL_PREFIX STREQUAL \"${CMAKE_INSTALL_PREFIX}\")
            set(baton_etc \"\${CMAKE_INSTALL_PREFIX}/etc\")
            message(WARNING \"This was configured for ${CMAKE_INSTALL_PREFIX}, where batond and batond.service look. \"
                \"Here start: batond -c \${baton_etc}/baton/ports.ini \"
                \"--handlers \${CMAKE_INSTALL_PREFIX}/${BATON_HANDLERS_DIR}\")
        endif()
        set(baton_config \"\${baton_etc}/baton\")")
endif()

if(NOT TARGET batond)
    return()
endif()

# Of files that an administrator edits, what is there already is kept.
file(MAKE_DIRECTORY "${baton_made}/ports.d")
install(CODE "
    function(baton_keep file folder)
        cmake_path(GET file FILENAME name)
        set(there \"\$ENV{DESTDIR}\${folder}/\${name}\")
        if(EXISTS \"\${there}\" OR IS_SYMLINK \"\${there}\")
            message(STATUS \"Kept: \${there}\")
        else()
            file(INSTALL \"\${file}\" DESTINATION \"\${folder}\")
        endif()
    endfunction()
    baton_keep(\"${baton_installed}/ports.ini\" \"\${baton_config}\")
    file(INSTALL \"${baton_made}/ports.d\" DESTINATION \"\${baton_config}\")")
if(WIN32)
    return()
endif()

configure_file("${baton_installed}/batond.service.in" "${baton_made}/batond.service" @ONLY)
install(FILES "${baton_made}/batond.service" DESTINATION "${BATON_SYSTEMD_DIR}")
install(FILES "${baton_installed}/sysusers.conf" DESTINATION "${BATON_SYSUSERS_DIR}" RENAME baton.conf)
install(FILES "${baton_installed}/tmpfiles.conf" DESTINATION "${BATON_TMPFILES_DIR}" RENAME baton.conf)
install(CODE "baton_keep(\"${baton_installed}/logrotate/baton\" \"\${baton_etc}/logrotate.d\")")
file(GLOB baton_completions CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/scripts/completion/*")
foreach(completion ${baton_completions})
    # bash looks for the name of the program.
    cmake_path(GET completion STEM program)
    install(FILES "${completion}" DESTINATION "${CMAKE_INSTALL_DATADIR}/bash-completion/completions" RENAME "${program}")
endforeach()
install(CODE "
    foreach(section 1 5 7 8)
        file(GLOB pages \"${CMAKE_BINARY_DIR}/man/*.\${section}\")
        if(pages)
            file(INSTALL \${pages} DESTINATION \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_MANDIR}/man\${section}\")
        endif()
    endforeach()")
