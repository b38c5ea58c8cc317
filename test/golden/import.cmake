file(GLOB_RECURSE golden_imports CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/import/*")
list(FILTER golden_imports EXCLUDE REGEX "\\.expected$")

add_library(import_world STATIC import_world.c import_serve.c)
target_include_directories(import_world PUBLIC "${CMAKE_CURRENT_SOURCE_DIR}")
target_link_libraries(import_world PUBLIC baton_import)
baton_target(import_world)

baton_test_program(golden_import KIND PURE SOURCES golden_import.c
    LIBRARIES import_world config_world)
baton_script_test(golden_import KIND PURE
    COMMAND golden_import "${CMAKE_CURRENT_SOURCE_DIR}/import" ${golden_imports})
