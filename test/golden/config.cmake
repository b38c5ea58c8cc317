file(GLOB golden_configs CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/config/*.ini"
    "${CMAKE_CURRENT_SOURCE_DIR}/config/*.yaml" "${CMAKE_CURRENT_SOURCE_DIR}/config/*.yml")

add_library(config_world STATIC config_world.c golden.c)
target_include_directories(config_world PUBLIC "${CMAKE_CURRENT_SOURCE_DIR}")
target_link_libraries(config_world PUBLIC baton_service baton_config baton_base)
baton_target(config_world)

add_executable(golden_config golden_config.c)
target_link_libraries(golden_config PRIVATE config_world)
set_target_properties(golden_config PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
baton_target(golden_config)
baton_script_test(golden_config COMMAND golden_config ${golden_configs})
