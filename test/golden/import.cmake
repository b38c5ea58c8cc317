file(GLOB_RECURSE golden_imports CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/import/*")
list(FILTER golden_imports EXCLUDE REGEX "\\.expected$")

add_library(import_world STATIC import_world.c)
target_include_directories(import_world PUBLIC "${CMAKE_CURRENT_SOURCE_DIR}")
target_link_libraries(import_world PUBLIC baton_import)
baton_target(import_world)

add_executable(golden_import golden_import.c)
target_link_libraries(golden_import PRIVATE import_world config_world)
set_target_properties(golden_import PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
baton_target(golden_import)
baton_script_test(golden_import
    COMMAND golden_import "${CMAKE_CURRENT_SOURCE_DIR}/import" ${golden_imports})
