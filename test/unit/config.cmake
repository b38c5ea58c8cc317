baton_unit_test(address SOURCES test_address.c LIBRARIES baton_core)

baton_unit_test(key SOURCES test_key.c LIBRARIES baton_core)
target_compile_definitions(test_key PRIVATE
    BATON_TEST_KEYS_MD="${CMAKE_SOURCE_DIR}/conf/KEYS.md")

baton_unit_test(config SOURCES test_config.c config_file.c LIBRARIES config_world)
target_compile_definitions(test_config PRIVATE BATON_TEST_CONF="${CMAKE_SOURCE_DIR}/conf")

baton_unit_test(service SOURCES test_service.c LIBRARIES config_world)
baton_unit_test(service_modes SOURCES test_service_modes.c LIBRARIES config_world)

# The linker turns malloc of everything that is linked statically to the test's own, so libyaml is
# taken as a static library where there is one. It needs GNU ld or lld, for ELF or PE.
if(NOT MSVC AND NOT APPLE)
    get_target_property(config_sources baton_core BATON_CONFIG_SOURCES)
    find_library(BATON_YAML_STATIC NAMES libyaml.a)
    mark_as_advanced(BATON_YAML_STATIC)
    set(yaml_static "")
    if(BATON_YAML_STATIC AND NOT CMAKE_CROSSCOMPILING)
        set(yaml_static "${BATON_YAML_STATIC}")
    endif()
    baton_unit_test(config_memory
        SOURCES test_config_memory.c config_file.c "${CMAKE_SOURCE_DIR}/test/golden/config_world.c"
            ${config_sources}
        LIBRARIES ${yaml_static} Baton::inih Baton::yaml)
    target_include_directories(test_config_memory PRIVATE "${CMAKE_SOURCE_DIR}/supervisor"
        "${CMAKE_SOURCE_DIR}/test/golden")
    target_compile_definitions(test_config_memory PRIVATE ARENA_BLOCK_BYTES=1
        BATON_TEST_GOLDEN="${CMAKE_SOURCE_DIR}/test/golden/config")
    target_link_options(test_config_memory PRIVATE LINKER:--wrap=malloc LINKER:--wrap=calloc
        LINKER:--wrap=realloc LINKER:--wrap=free LINKER:--wrap=strdup)
endif()
