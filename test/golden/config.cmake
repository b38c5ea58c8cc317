file(GLOB golden_configs CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/config/*.ini"
    "${CMAKE_CURRENT_SOURCE_DIR}/config/*.yaml" "${CMAKE_CURRENT_SOURCE_DIR}/config/*.yml")

add_library(config_world STATIC config_world.c golden.c)
target_include_directories(config_world PUBLIC "${CMAKE_CURRENT_SOURCE_DIR}")
target_link_libraries(config_world PUBLIC baton_service baton_config baton_base)
baton_target(config_world)

baton_test_program(golden_config KIND PURE SOURCES golden_config.c LIBRARIES config_world)
baton_script_test(golden_config KIND PURE COMMAND golden_config ${golden_configs})
