baton_unit_test(import SOURCES test_import.c LIBRARIES import_world config_world)

# As test_config_memory: it needs GNU ld or lld, for ELF or PE.
if(NOT MSVC AND NOT APPLE)
    get_target_property(import_sources baton_core BATON_IMPORT_SOURCES)
    foreach(name address arena error key key_table text text_words)
        list(APPEND import_sources "${CMAKE_SOURCE_DIR}/supervisor/core/${name}.c")
    endforeach()
    baton_unit_test(import_memory
        SOURCES test_import_memory.c "${CMAKE_SOURCE_DIR}/test/golden/import_world.c"
            ${import_sources}
        LIBRARIES "")
    target_include_directories(test_import_memory PRIVATE "${CMAKE_SOURCE_DIR}/supervisor"
        "${CMAKE_SOURCE_DIR}/test/golden")
    target_compile_definitions(test_import_memory PRIVATE ARENA_BLOCK_BYTES=1)
    target_link_options(test_import_memory PRIVATE LINKER:--wrap=malloc LINKER:--wrap=calloc
        LINKER:--wrap=free)
endif()
