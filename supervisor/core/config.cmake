# The config: from bytes to the validated table of services. Absolute paths, because a test
# compiles the same sources in another way.
set(BATON_CONFIG_SOURCES address.c arena.c config.c config_ini.c config_names.c config_problems.c
    config_yaml.c error.c key.c key_reference.c key_table.c service.c service_handler.c
    service_listen.c service_names.c service_options.c service_print.c service_program.c
    service_values.c text.c text_words.c)
list(TRANSFORM BATON_CONFIG_SOURCES PREPEND "${CMAKE_SOURCE_DIR}/supervisor/core/")

add_library(baton_config STATIC ${BATON_CONFIG_SOURCES})
target_include_directories(baton_config PUBLIC "${CMAKE_SOURCE_DIR}/supervisor")
target_link_libraries(baton_config PRIVATE Baton::inih Baton::yaml)
baton_target(baton_config)
