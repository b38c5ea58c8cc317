# The platform for Linux: sets what CMakeLists.txt makes the library from.
file(GLOB BATON_PLATFORM_SOURCES CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/posix/*.c")
set(BATON_PLATFORM_LIBRARIES "")

# A linker that sees who calls whom would lose what a child that shares our memory writes there: what
# starts such a child, and what runs in it, is compiled as it stands.
set_source_files_properties(posix/identity.c posix/launch.c posix/launch_end.c posix/launcher.c posix/launchers.c posix/order.c posix/plan.c posix/spawn.c
    PROPERTIES COMPILE_OPTIONS "$<$<BOOL:${CMAKE_INTERPROCEDURAL_OPTIMIZATION}>:-fno-lto>")
