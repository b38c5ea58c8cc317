# inih, libyaml, jansson and cmocka as the targets Baton::inih, Baton::yaml, Baton::jansson and Baton::cmocka.
#
# BATON_DEPENDENCIES says where they come from:
#   system  a CMake package (vcpkg: inih, libyaml, jansson, cmocka), else pkg-config (Debian:
#           libinih-dev, libyaml-dev, libjansson-dev, libcmocka-dev); it is an error if neither has them
#   source  compiled here from pinned archives (sources.txt, fetch-sources)
#   auto    source for a cross build, system otherwise
# BATON_SOURCES is the folder of those archives, as cache or environment variable. It survives the
# removal of a preset's folder, so a new configuration does not download again.

include_guard(GLOBAL)

set(BATON_DEPENDENCIES auto CACHE STRING "Where libraries come from: auto, system or source")
set_property(CACHE BATON_DEPENDENCIES PROPERTY STRINGS auto system source)
set(baton_sources_default "${CMAKE_SOURCE_DIR}/build/sources")
if(DEFINED ENV{BATON_SOURCES})
    set(baton_sources_default "$ENV{BATON_SOURCES}")
endif()
set(BATON_SOURCES "${baton_sources_default}" CACHE PATH "Folder of the libraries' source archives")

# Names a library of the system Baton::NAME: the package's target if it defines one of CANDIDATES
# (Debian's cmocka 1.1.5 has a package without any), else what pkg-config says.
function(baton_system_library name package module debian)
    find_package(${package} CONFIG QUIET)
    foreach(candidate ${ARGN})
        if(TARGET ${candidate})
            add_library(Baton::${name} ALIAS ${candidate})
            return()
        endif()
    endforeach()
    find_package(PkgConfig QUIET)
    if(PKG_CONFIG_FOUND)
        pkg_check_modules(BATON_${name} QUIET IMPORTED_TARGET ${module})
    endif()
    if(NOT TARGET PkgConfig::BATON_${name})
        message(FATAL_ERROR "The library ${name} is missing. Debian, Ubuntu: apt-get install "
            "${debian} pkg-config. vcpkg: inih, libyaml, jansson, cmocka, with its toolchain "
            "file. Or compile it here: -DBATON_DEPENDENCIES=source.")
    endif()
    add_library(Baton::${name} ALIAS PkgConfig::BATON_${name})
endfunction()

# Unpacks the verified archive of a library and gives the folder of its sources.
function(baton_unpack name result)
    execute_process(
        COMMAND bash "${CMAKE_SOURCE_DIR}/scripts/cmake/fetch-sources" "${BATON_SOURCES}" ${name}
        OUTPUT_VARIABLE answer OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE status)
    if(NOT status EQUAL 0)
        message(FATAL_ERROR "The sources of ${name} are missing; see above.")
    endif()
    string(REGEX REPLACE "^${name} " "" archive "${answer}")
    set(folder "${CMAKE_BINARY_DIR}/libraries/${name}")
    # Unpacked again only when another archive was found: new time stamps mean a new build.
    set(unpacked "")
    if(EXISTS "${folder}/archive.txt")
        file(READ "${folder}/archive.txt" unpacked)
    endif()
    if(NOT unpacked STREQUAL archive)
        file(REMOVE_RECURSE "${folder}")
        file(ARCHIVE_EXTRACT INPUT "${archive}" DESTINATION "${folder}")
        file(WRITE "${folder}/archive.txt" "${archive}")
    endif()
    file(GLOB inner LIST_DIRECTORIES true "${folder}/*-*")
    set(${result} "${inner}" PARENT_SCOPE)
endfunction()

# A static library of foreign code: our optimisation and sanitizers, but not our warnings.
function(baton_source_library name include)
    add_library(baton_${name} STATIC ${ARGN})
    add_library(Baton::${name} ALIAS baton_${name})
    target_include_directories(baton_${name} SYSTEM PUBLIC "${include}")
    target_compile_options(baton_${name} PRIVATE -w)
    set_target_properties(baton_${name} PROPERTIES C_EXTENSIONS ON)
    if(BATON_HARDEN)
        baton_harden(baton_${name})
    endif()
    if(BATON_SANITIZE)
        target_compile_options(baton_${name} PRIVATE -fsanitize=address,undefined
            -fno-sanitize-recover=all -fno-omit-frame-pointer)
    endif()
    if(BATON_FUZZ)
        target_compile_options(baton_${name} PRIVATE -fsanitize=fuzzer-no-link)
    endif()
endfunction()

# ini.h's own defaults are what Debian builds with, so every target reads a file alike.
function(baton_source_inih)
    baton_unpack(inih folder)
    baton_source_library(inih "${folder}" "${folder}/ini.c")
    baton_optimise_at_link(baton_inih)
endfunction()

# The parser's half only: the emitter, dumper and loader are left out.
function(baton_source_yaml)
    baton_unpack(yaml folder)
    foreach(part api parser reader scanner)
        list(APPEND parts "${folder}/src/${part}.c")
    endforeach()
    baton_source_library(yaml "${folder}/include" ${parts})
    baton_optimise_at_link(baton_yaml)
    target_compile_options(baton_yaml PRIVATE ${BATON_SMALL_YAML})
    target_compile_definitions(baton_yaml PUBLIC YAML_DECLARE_STATIC PRIVATE
        YAML_VERSION_MAJOR=0 YAML_VERSION_MINOR=2 YAML_VERSION_PATCH=5 YAML_VERSION_STRING="0.2.5")
endfunction()

# What reads, not what writes. Its own build asks the compiler for what is said here; every compiler of ours
# has it. The seed of its tables need not be secret: a line of ours has a dozen names.
function(baton_source_jansson)
    baton_unpack(jansson folder)
    set(settings "${CMAKE_BINARY_DIR}/libraries/jansson-settings")
    file(CONFIGURE OUTPUT "${settings}/jansson_config.h" CONTENT "#ifndef JANSSON_CONFIG_H
#define JANSSON_CONFIG_H
#define JSON_INLINE inline
#define JSON_INTEGER_IS_LONG_LONG 1
#define JSON_HAVE_LOCALECONV 1
#define JSON_HAVE_ATOMIC_BUILTINS 1
#define JSON_HAVE_SYNC_BUILTINS 1
#define JSON_PARSER_MAX_DEPTH 64
#endif
" @ONLY)
    file(CONFIGURE OUTPUT "${settings}/jansson_private_config.h" CONTENT "#define HAVE_STDINT_H 1
#define HAVE_LOCALE_H 1
#define HAVE_LOCALECONV 1
#define INITIAL_HASHTABLE_ORDER 3
" @ONLY)
    foreach(part error hashtable hashtable_seed load memory pack_unpack strbuffer strconv utf value)
        list(APPEND parts "${folder}/src/${part}.c")
    endforeach()
    baton_source_library(jansson "${folder}/src" ${parts})
    target_include_directories(baton_jansson SYSTEM PUBLIC "${settings}")
    target_compile_definitions(baton_jansson PRIVATE HAVE_CONFIG_H)
endfunction()

function(baton_source_cmocka)
    baton_unpack(cmocka folder)
    baton_source_library(cmocka "${folder}/include" "${folder}/src/cmocka.c")
    # Of the places where cmocka keeps a test's state, the compiler's thread-local storage works
    # with every compiler that we support.
    target_compile_definitions(baton_cmocka PUBLIC CMOCKA_STATIC PRIVATE
        HAVE_INTTYPES_H HAVE_SIGNAL_H HAVE_MALLOC_H HAVE_STRUCT_TIMESPEC
        HAVE_GCC_THREAD_LOCAL_STORAGE)
    if(NOT WIN32)
        target_compile_definitions(baton_cmocka PRIVATE HAVE_STRINGS_H HAVE_SIGLONGJMP
            HAVE_STRSIGNAL HAVE_CLOCK_REALTIME)
    endif()
endfunction()

set(baton_origin ${BATON_DEPENDENCIES})
if(baton_origin STREQUAL auto)
    set(baton_origin system)
    if(CMAKE_CROSSCOMPILING)
        set(baton_origin source)
    endif()
endif()

if(baton_origin STREQUAL source)
    baton_source_inih()
    baton_source_yaml()
    baton_source_jansson()
    if(BATON_TESTS)
        baton_source_cmocka()
    endif()
elseif(baton_origin STREQUAL system)
    baton_system_library(inih unofficial-inih inih libinih-dev unofficial::inih::libinih)
    baton_system_library(yaml yaml yaml-0.1 libyaml-dev yaml)
    baton_system_library(jansson jansson jansson libjansson-dev jansson::jansson)
    if(BATON_TESTS)
        baton_system_library(cmocka cmocka cmocka libcmocka-dev cmocka::cmocka)
    endif()
else()
    message(FATAL_ERROR "BATON_DEPENDENCIES is `${BATON_DEPENDENCIES}`; auto, system or source.")
endif()
