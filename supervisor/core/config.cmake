add_library(baton_config STATIC error.c)
target_include_directories(baton_config PUBLIC "${CMAKE_SOURCE_DIR}/supervisor")
target_link_libraries(baton_config PRIVATE Baton::inih Baton::yaml)
baton_target(baton_config)
