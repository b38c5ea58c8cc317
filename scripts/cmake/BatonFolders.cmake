# Where `cmake --install` puts things: relative to the prefix, unless it is said to be absolute. How GNU names
# the folders (CMAKE_INSTALL_LIBDIR and so on) decides, and:
#
#   BATON_ETC_DIR         of baton/ports.ini and logrotate.d, absolute: /etc for the prefixes /usr and /usr/local,
#                         since there batond and logrotate look by themselves; else where GNUInstallDirs has it
#   BATON_PYTHON_DIR      of the package `baton`: what the system's Python searches below this prefix, else
#                         share/baton/python, which PYTHONPATH has to name
#   BATON_SYSTEMD_DIR, BATON_SYSUSERS_DIR, BATON_TMPFILES_DIR
#
# Sets BATON_LIBEXEC_HANDLERS: where batond looks for handlers if there are none beside it, absolute.
# For Windows the folders are those of the zip, and nothing of it is absolute.

include_guard(GLOBAL)
include(GNUInstallDirs)

# Below the prefix, of the system's interpreter first: what users put before it may be of this user alone.
function(baton_look_for_python result)
    find_program(BATON_SYSTEM_PYTHON NAMES python3 PATHS /usr/bin NO_DEFAULT_PATH)
    find_program(BATON_SYSTEM_PYTHON NAMES python3)
    mark_as_advanced(BATON_SYSTEM_PYTHON)
    set(${result} share/baton/python PARENT_SCOPE)
    if(NOT BATON_SYSTEM_PYTHON)
        return()
    endif()
    execute_process(COMMAND "${BATON_SYSTEM_PYTHON}" -c "import site; print(';'.join(site.getsitepackages()))"
        OUTPUT_VARIABLE folders OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
    foreach(folder ${folders})
        cmake_path(IS_PREFIX CMAKE_INSTALL_PREFIX "${folder}" NORMALIZE inside)
        # /usr/local has a prefix of its own.
        if(inside AND NOT (CMAKE_INSTALL_PREFIX STREQUAL /usr AND folder MATCHES "^/usr/local/"))
            cmake_path(RELATIVE_PATH folder BASE_DIRECTORY "${CMAKE_INSTALL_PREFIX}")
            set(${result} "${folder}" PARENT_SCOPE)
            return()
        endif()
    endforeach()
endfunction()

if(WIN32)
    set(BATON_BIN_DIR bin)
    set(BATON_SBIN_DIR bin)
    set(BATON_HANDLERS_DIR handlers)
    set(BATON_INCLUDE_DIR include)
    set(BATON_LIB_DIR lib)
    set(BATON_DOC_DIR doc)
    return()
endif()

set(BATON_BIN_DIR "${CMAKE_INSTALL_BINDIR}")
set(BATON_SBIN_DIR "${CMAKE_INSTALL_SBINDIR}")
set(BATON_LIBEXEC_DIR "${CMAKE_INSTALL_LIBEXECDIR}/baton")
set(BATON_HANDLERS_DIR "${BATON_LIBEXEC_DIR}/handlers")
set(BATON_INCLUDE_DIR "${CMAKE_INSTALL_INCLUDEDIR}")
set(BATON_LIB_DIR "${CMAKE_INSTALL_LIBDIR}")
set(BATON_DOC_DIR "${CMAKE_INSTALL_DOCDIR}")
set(BATON_LIBEXEC_HANDLERS "${CMAKE_INSTALL_FULL_LIBEXECDIR}/baton/handlers")

set(BATON_ETC_DIR "${CMAKE_INSTALL_FULL_SYSCONFDIR}")
if(CMAKE_INSTALL_PREFIX STREQUAL /usr/local)
    set(BATON_ETC_DIR /etc)
endif()
if(NOT DEFINED BATON_PYTHON_DIR)
    baton_look_for_python(baton_python_default)
endif()
set(BATON_PYTHON_DIR "${baton_python_default}" CACHE STRING "Folder of the package for Python")
set(BATON_SYSTEMD_DIR lib/systemd/system CACHE STRING "Folder of systemd's units")
set(BATON_SYSUSERS_DIR lib/sysusers.d CACHE STRING "Folder of sysusers.d")
set(BATON_TMPFILES_DIR lib/tmpfiles.d CACHE STRING "Folder of tmpfiles.d")
